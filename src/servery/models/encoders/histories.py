"""Histories of users as numbers of their items and the age of each event; known users are remembered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from servery.data.events import Event, Events, in_order
from servery.errors import ArtifactError, InputError
from servery.models.encoder import Batch, Encoder
from servery.tasks.recommendation import MEASURED_ITEMS

FILE = "histories.safetensors"
NOTHING = -1
"""Stands where a row has fewer items than the longest."""
NO_TIME = -(2**62)
"""Stands for the time of an event that has none."""
DAY = 86_400.0
_WANTED: Mapping[str, Any] = {
    "top_k": MEASURED_ITEMS,
    "exclude_seen": False,
    "candidates": None,
    "explain": False,
}
"""What is asked of the rows of data sets."""


class Histories(Encoder):
    """A number for each item, and what known users did.

    Args:
        user: Name of the column with the user; empty where there is none.
        history: Name of the column with the events.
        items: Names, in the order of their numbers.
        users: Names of the users to remember.
        offsets: Where each user's events begin and the last one's end, int64, (users + 1,).
        numbers: Numbers of the items of their events, int64, (events,).
        seconds: Times of their events since 1970, `NO_TIME` where none is known, int64, (events,).
    """

    name = "histories"

    def __init__(
        self,
        user: str,
        history: str,
        items: Sequence[str],
        users: Sequence[str],
        offsets: np.ndarray,
        numbers: np.ndarray,
        seconds: np.ndarray,
    ) -> None:
        self.user, self.history = user, history
        self.items, self.users = tuple(items), tuple(users)
        self.offsets, self.numbers, self.seconds = offsets, numbers, seconds
        self._item_numbers = {name: number for number, name in enumerate(self.items)}
        self._user_numbers = {name: number for number, name in enumerate(self.users)}

    @classmethod
    def fit(
        cls, user: str, history: str, items: Sequence[str], remembered: Mapping[str, Events]
    ) -> Histories:
        """Number the items and remember the users' events, as far as their items are among these."""
        numbers = {name: number for number, name in enumerate(items)}
        kept = {
            name: [event for event in in_order(events) if event.item in numbers]
            for name, events in sorted(remembered.items())
        }
        every = [event for events in kept.values() for event in events]
        return cls(
            user,
            history,
            items,
            tuple(kept),
            np.cumsum([0, *(len(events) for events in kept.values())], dtype=np.int64),
            np.array([numbers[event.item] for event in every], np.int64),
            np.array([_seconds(event) for event in every], np.int64),
        )

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return the items and their ages, and what is asked.

        `items`, int64, and `ages`, float32, days before the row's last event, (rows, longest), filled up with
        `NOTHING`; `is_asked`, whether it is the items themselves that are asked about, `unknown`, `top_k`,
        `exclude_seen`, `explain`, int64, (rows,); `candidates`, int64, (rows, most), and `has_candidates`, (rows,).

        Raises:
            InputError: A user is no text, or a history no events.
        """
        rows = [self._row(example) for example in examples]
        wanted = [{**_WANTED, **(example.get("wanted") or {})} for example in examples]
        candidates = [
            [self._item_numbers.get(name, NOTHING) for name in w["candidates"] or ()] for w in wanted
        ]
        flags = {
            name: np.array([int(w[name]) for w in wanted], np.int64)
            for name in ("top_k", "exclude_seen", "explain")
        }
        return {
            "items": _padded([row[0] for row in rows], NOTHING, np.int64),
            "ages": _padded([row[1] for row in rows], 0.0, np.float32),
            "unknown": np.array([row[2] for row in rows], np.int64),
            "is_asked": np.array([row[3] for row in rows], np.int64),
            **flags,
            "candidates": _padded(candidates, NOTHING, np.int64),
            "has_candidates": np.array([int(w["candidates"] is not None) for w in wanted], np.int64),
        }

    def sizes(self, examples: Sequence[Mapping[str, Any]]) -> list[int]:
        """Return the number of events."""
        return [1 + len(example.get(self.history) or ()) for example in examples]

    def _row(self, example: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray, int, int]:
        """Return items, ages, the number of events of unknown items, and whether the items are what is asked about."""
        user, events = example.get(self.user), example.get(self.history)
        if user is not None and not isinstance(user, str):
            raise InputError(
                f"{self.user!r} is {user!r}; expected the name of a user.", param=f"/{self.user}"
            )
        is_events = isinstance(events, tuple) and all(isinstance(event, Event) for event in events)
        if events is not None and not is_events:
            raise InputError(
                f"{self.history!r} is {events!r}; expected a list of items.", param=f"/{self.history}"
            )
        sent = [(self._item_numbers.get(event.item, NOTHING), _seconds(event)) for event in events or ()]
        known = [pair for pair in sent if pair[0] != NOTHING]
        pairs = self._merged(user, known)
        items = np.array([number for number, _ in pairs], np.int64)
        seconds = np.array([second for _, second in pairs], np.int64)
        is_asked = any(event.is_asked for event in events or ())
        return items, _ages(seconds), len(sent) - len(known), int(is_asked)

    def _merged(self, user: str | None, sent: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return what was sent with what is remembered of the user; an event in both counts once."""
        number = self._user_numbers.get(user or "")
        if number is None:
            return sent
        span = slice(int(self.offsets[number]), int(self.offsets[number + 1]))
        remembered = list(zip(self.numbers[span].tolist(), self.seconds[span].tolist(), strict=True))
        known = set(remembered)
        both = [*remembered, *(pair for pair in sent if pair not in known or pair[1] == NO_TIME)]
        return sorted(both, key=lambda pair: (pair[1] == NO_TIME, pair[1]))

    def save(self, folder: Path) -> None:
        """Write the remembered events."""
        tensors = {"offsets": self.offsets, "numbers": self.numbers, "seconds": self.seconds}
        save_file({name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}, folder / FILE)

    def state(self) -> dict[str, Any]:
        """Return the names, as plain JSON types."""
        return {
            "user": self.user,
            "history": self.history,
            "items": list(self.items),
            "users": list(self.users),
        }

    @classmethod
    def load(cls, folder: Path, state: dict[str, Any]) -> Histories:
        """Rebuild the encoder from its names and `histories.safetensors`.

        Raises:
            ArtifactError: They are torn or do not fit each other.
        """
        try:
            tensors = load_file(folder / FILE)
            names = {key: [str(name) for name in state[key]] for key in ("items", "users")}
            offsets, numbers, seconds = (tensors[key] for key in ("offsets", "numbers", "seconds"))
            fits = offsets.shape == (len(names["users"]) + 1,) and len(numbers) == len(seconds) == offsets[-1]
            if not fits or (len(numbers) and not 0 <= numbers.min() <= numbers.max() < len(names["items"])):
                raise ValueError("events that fit neither the users nor the items")
            columns = (str(state["user"]), str(state["history"]))
            return cls(*columns, names["items"], names["users"], offsets, numbers, seconds)
        except (OSError, SafetensorError, KeyError, TypeError, ValueError, IndexError) as error:
            raise ArtifactError(f"The histories in {folder.name} cannot be read: {error!r}.") from error

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Histories:
        """Rebuild an encoder that remembers nobody.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        try:
            items = [str(name) for name in state["items"]]
            nothing = np.zeros(0, np.int64)
            return cls(
                str(state["user"]), str(state["history"]), items, (), np.zeros(1, np.int64), nothing, nothing
            )
        except (KeyError, TypeError) as error:
            raise ArtifactError(f"The state of the encoder 'histories' is torn: {error!r}.") from error


def _seconds(event: Event) -> int:
    return NO_TIME if event.time is None else event.time


def _ages(seconds: np.ndarray) -> np.ndarray:
    """Return how many days before the last event each one was, float32; an event without a time is as late as it."""
    if not len(seconds):
        return np.zeros(0, np.float32)
    last = seconds.max()
    return np.where(seconds == NO_TIME, 0.0, (last - np.maximum(seconds, -(2**61))) / DAY).astype(np.float32)


def _padded(rows: Sequence[Any], filling: float, dtype: Any) -> np.ndarray:
    padded = np.full((len(rows), max((len(row) for row in rows), default=0)), filling, dtype)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = row
    return padded
