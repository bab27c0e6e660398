"""From a batch of sentences to the texts that a model writes for them, whatever computes its steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from servery.models.beam_search import Found, Rules, Steps, search
from servery.models.encoder import Batch
from servery.models.pieces import BEGIN, END, PADDING, RESERVED, SPACE, UNKNOWN, joined
from servery.tasks.written import Attention, Candidate, Written, outputs_of

MARGIN_TOKENS = 8
TIMES_READ = 2
"""A text may be twice as long as what was read, and a margin."""
SPACELESS_FROM = "\u2e80"
"""From here on characters are of scripts that are written without spaces."""


class Reader(Protocol):
    """A model that can read sentences and then write."""

    def begin(self, tokens: np.ndarray, copies: int) -> Steps:
        """Return steps over each sentence so many times, side by side.

        Args:
            tokens: int64, (sentences, length), 0 at padding.
            copies: How often each.
        """


def write(reader: Reader, batch: Batch, pieces: Sequence[str], max_tokens: int) -> np.ndarray:
    """Return what was written for each text, objects, (rows,): see `servery.tasks.written`.

    Args:
        reader: The model.
        batch: From the encoder `subwords`.
        pieces: What each token stands for.
        max_tokens: Most tokens of one sentence.
    """
    tokens, owners = batch["tokens"], batch["text"]
    found: list[list[Found]] = [[] for _ in owners]
    ways = np.stack([batch["beam_size"], batch["length_penalty"]], axis=1)[owners]
    for way in np.unique(ways, axis=0):
        chosen = np.flatnonzero((ways == way).all(axis=1))
        rules = Rules(BEGIN, END, (PADDING, UNKNOWN, BEGIN), int(way[0]), float(way[1]))
        some = tokens[chosen]
        lengths = (some != PADDING).sum(axis=1)
        rooms = np.minimum(TIMES_READ * lengths + MARGIN_TOKENS, max_tokens - 1)
        asked = batch["most_tokens"][owners[chosen]].astype(np.int64)
        rooms = np.where(asked > 0, np.minimum(asked, rooms), rooms)
        some = some[:, : lengths.max()]
        results = search(reader.begin(some, rules.beam_size), rooms.tolist(), rules)
        for place, result in zip(chosen.tolist(), results, strict=True):
            found[place] = result
    rows = len(batch["beam_size"])
    sentences: list[list[int]] = [[] for _ in range(rows)]
    for place, owner in enumerate(owners.tolist()):
        sentences[owner].append(place)
    return outputs_of([_written(batch, row, sentences[row], found, pieces) for row in range(rows)])


def _written(
    batch: Batch, row: int, sentences: Sequence[int], found: Sequence[Sequence[Found]], pieces: Sequence[str]
) -> Written:
    wanted = 1 + int(batch["alternatives"][row])
    ranks = min([wanted, *(len(found[place]) for place in sentences)])
    candidates = tuple(
        _candidate([found[place][rank] for place in sentences], pieces) for rank in range(ranks)
    )
    attention: tuple[Attention, ...] = ()
    if batch["attention"][row]:
        attention = tuple(_attention(batch["tokens"][place], found[place][0], pieces) for place in sentences)
    return Written(
        candidates,
        characters=int(batch["characters"][row]),
        unknown=int(batch["unknown"][row]),
        is_foreign=bool(batch["is_foreign"][row]),
        is_cut=bool(batch["is_cut"][row]) if "is_cut" in batch else False,
        is_whole=all(found[place][0].is_whole for place in sentences),
        attention=tuple(part for part in attention if part.weights),
    )


def _candidate(parts: Sequence[Found], pieces: Sequence[str]) -> Candidate:
    text = ""
    for part in parts:
        sentence = joined([pieces[choice] for choice in part.choices])
        gap = " " if text and sentence and sentence[0] < SPACELESS_FROM else ""
        text += gap + sentence
    choices = sum(len(part.choices) + part.is_whole for part in parts)
    return Candidate(text, round(math.exp(sum(part.log_probability for part in parts) / max(choices, 1)), 4))


def _attention(tokens: np.ndarray, found: Found, pieces: Sequence[str]) -> Attention:
    length = int((tokens != PADDING).sum())
    source = [_shown(pieces[token], token) for token in tokens[:length].tolist()]
    target = [_shown(pieces[choice], choice) for choice in found.choices]
    looks = found.looks[:, :length].astype(np.float64).round(4)
    return Attention(tuple(source), tuple(target), tuple(tuple(row) for row in looks.tolist() if any(row)))


def _shown(piece: str, token: int) -> str:
    return {UNKNOWN: "?", END: "⏎"}.get(token, "") if token < RESERVED else piece.replace(SPACE, " ")
