"""Recommends in numpy: scores of all items for a history, the best of them, their chances and the reasons."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from servery.errors import ArtifactError
from servery.models.encoder import Batch
from servery.models.encoders.histories import NOTHING
from servery.models.item_scorers import SCORERS, decayed
from servery.models.runtime import Runtime
from servery.tasks.recommendation import (
    BASIS,
    BY_HISTORY,
    BY_POPULARITY,
    LINE_NUMBERS,
    PLACE,
    REASON,
    REASONS,
    SCORE,
    UNKNOWN,
)

FILE = "recommender.safetensors"
EXPLAINED_ITEMS = 30
"""Latest items of a history that an answer's reasons are sought among; each costs one more look at all items."""


class Recommender(Runtime):
    """What a recipe learned, and how often each item is taken.

    Args:
        model: One of `item_scorers.SCORERS`.
        tensors: What that reads; `popularity`, float32, (items,), the share of users who take an item; and if there
            are such: `trend`, float32, (items,), what scores are multiplied by; `lift`, (items,), what is added;
            `score_knots` and `chance_knots`, float32, (knots,), a rising line from scores to chances.
        settings: Numbers of the recipe; read here are `repeat_weight`, of having taken an item before, and
            `half_life_days`, after which that counts half.
    """

    name = "recommender"

    def __init__(self, model: str, tensors: Mapping[str, np.ndarray], settings: Mapping[str, Any]) -> None:
        self.model, self.tensors, self.settings = model, dict(tensors), dict(settings)
        self.popularity = self.tensors["popularity"]
        self._scorer = SCORERS[model](self.tensors, self.settings)

    def run(self, batch: Batch) -> np.ndarray:
        """Return what `Recommendation` reads: the best items of each row, (rows, items, `LINE_NUMBERS`), float32."""
        rows = [{name: array[row] for name, array in batch.items()} for row in range(len(batch["top_k"]))]
        lists = [self._list(row) for row in rows]
        outputs = np.full(
            (len(rows), max((len(one) for one in lists), default=0), LINE_NUMBERS), -1.0, np.float32
        )
        for place, lines in enumerate(lists):
            outputs[place, : len(lines)] = lines
            outputs[place, len(lines) :, SCORE] = 0.0
            if not len(lines) and outputs.shape[1]:
                outputs[place, :, BASIS:REASON] = 0.0
        return outputs

    def scores(self, items: np.ndarray, ages: np.ndarray) -> np.ndarray:
        """Return the score of every item for a history that is not empty, float32, (items,)."""
        found = self._scorer.scores(items, ages)
        weight = float(self.settings.get("repeat_weight", 0.0))
        if weight:
            found = found.copy()
            np.add.at(found, items, weight * decayed(ages, self.settings))
        trend, lift = self.tensors.get("trend"), self.tensors.get("lift")
        found = found if trend is None else np.asarray(found * trend)
        return found if lift is None else np.asarray(found + lift)

    def _list(self, row: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the best items of one row, (items, `LINE_NUMBERS`)."""
        is_there = row["items"] != NOTHING
        items, ages = row["items"][is_there], row["ages"][is_there]
        basis = BY_HISTORY if len(items) else BY_POPULARITY
        scores = self.scores(items, ages) if len(items) else self.popularity
        allowed = self._allowed(row, items)
        best = best_places(scores, allowed, int(row["top_k"]))
        lines = np.full((len(best), LINE_NUMBERS), -1.0, np.float32)
        lines[:, PLACE] = best
        lines[:, SCORE] = self._chances(scores[best], basis)
        lines[:, BASIS], lines[:, UNKNOWN] = basis, row["unknown"]
        if row["explain"] and len(items) and len(best):
            lines[:, REASON:] = self._reasons(items, ages, scores, best)
        return lines

    def _allowed(self, row: Mapping[str, np.ndarray], items: np.ndarray) -> np.ndarray:
        allowed = np.ones(len(self.popularity), bool)
        if row["has_candidates"]:
            allowed[:] = False
            allowed[row["candidates"][row["candidates"] != NOTHING]] = True
        if row["exclude_seen"] or row["is_asked"]:
            allowed[items] = False
        return allowed

    def _chances(self, scores: np.ndarray, basis: int) -> np.ndarray:
        """Return scores as chances where that was learned; popularity is one by itself."""
        if basis == BY_POPULARITY or "score_knots" not in self.tensors:
            return scores
        return np.asarray(np.interp(scores, self.tensors["score_knots"], self.tensors["chance_knots"]))

    def _reasons(
        self, items: np.ndarray, ages: np.ndarray, scores: np.ndarray, best: np.ndarray
    ) -> np.ndarray:
        """Return the items without which the scores would be lower, (best, 2 x `REASONS`), with shares of the loss.

        Source: Li, Monroe and Jurafsky (2016), Understanding neural networks through representation erasure, section 3.
        """
        order = np.unique(items[::-1], return_index=True)[1]
        latest = items[::-1][np.sort(order)][:EXPLAINED_ITEMS]
        losses = np.zeros((len(latest), len(best)))
        for place, item in enumerate(latest):
            kept = items != item
            without = self.scores(items[kept], ages[kept]) if kept.any() else np.zeros_like(scores)
            losses[place] = np.maximum(scores[best] - without[best], 0.0)
        shares = losses / np.maximum(losses.sum(axis=0), 1e-12)
        reasons = np.full((len(best), REASONS, 2), (NOTHING, 0.0), np.float32)
        for place in range(len(best)):
            strongest = np.argsort(-shares[:, place], kind="stable")[:REASONS]
            strongest = strongest[shares[strongest, place] > 0]
            reasons[place, : len(strongest), 0] = latest[strongest]
            reasons[place, : len(strongest), 1] = shares[strongest, place]
        return reasons.reshape(len(best), -1)

    def options(self) -> dict[str, Any]:
        """Return which model it is and its numbers."""
        return {"model": self.model, "settings": self.settings}

    def save(self, folder: Path) -> None:
        """Write `recommender.safetensors`."""
        tensors = {name: np.ascontiguousarray(tensor) for name, tensor in self.tensors.items()}
        save_file(tensors, folder / FILE)

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> Recommender:
        """Read `recommender.safetensors`.

        Raises:
            ArtifactError: The tensors are torn or of other shapes.
        """
        try:
            return cls(options["model"], load_file(folder / FILE), options["settings"])
        except (OSError, SafetensorError, KeyError, ValueError, TypeError, IndexError) as error:
            raise ArtifactError(f"The recommender in {folder.name} cannot be read: {error!r}.") from error


def best_places(scores: np.ndarray, allowed: np.ndarray, count: int) -> np.ndarray:
    """Return the places of the best allowed items, the best first; of equal ones the first.

    >>> best_places(np.array([0.1, 0.7, 0.3, 0.7]), np.array([True, True, True, True]), 3).tolist()
    [1, 3, 2]
    """
    kept = np.where(allowed, scores, -np.inf)
    count = min(count, int(allowed.sum()))
    if not count:
        return np.zeros(0, np.int64)
    least = -np.partition(-kept, count - 1)[count - 1]
    # All that reach the last place, so that equal ones are told apart by their places alone.
    chosen = np.flatnonzero(kept >= least)
    return np.asarray(chosen[np.argsort(-kept[chosen], kind="stable")][:count])


RUNTIME = Recommender
