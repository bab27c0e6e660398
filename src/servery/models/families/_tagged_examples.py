"""Tagged texts to learn from, as they are or with spans exchanged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from servery.models.encoder import Batch
from servery.models.encoders.tagged_words import padded
from servery.models.families._examples import TokenExamples
from servery.tasks._chains import spans_in, tags_of


class TaggedExamples(TokenExamples):
    """Rows of words with their tags, padded batch by batch.

    Args:
        rows: The encoder's arrays of each text, (words, ...).
        spans: Of each text its spans, int64, (spans, 3).
    """

    def __init__(self, rows: Sequence[Batch], spans: np.ndarray) -> None:
        super().__init__([row["words"].tolist() for row in rows], np.zeros(len(rows), np.int64))
        self.rows, self.spans = rows, spans
        self.tags = [tags_of(found, row["places"]) for found, row in zip(spans, rows, strict=True)]

    def inputs(self, rows: np.ndarray) -> dict[str, Tensor]:
        """Return the arrays of these rows, padded."""
        batch = padded([self.rows[row] for row in rows.tolist()])
        return {name: torch.from_numpy(array) for name, array in batch.items()}

    def batch(self, rows: np.ndarray, seed: int, epoch: int, step: int) -> tuple[dict[str, Tensor], Tensor]:
        """Return the arrays of these rows and their tags, int64, (rows, length)."""
        inputs = self.inputs(rows)
        tags = np.zeros(inputs["words"].shape, np.int64)
        for number, row in enumerate(rows.tolist()):
            tags[number, : len(self.tags[row])] = self.tags[row]
        return inputs, torch.from_numpy(tags)

    def crossed(self) -> int:
        """Return how many spans begin or end within a word, and so cannot be found exactly."""
        return sum(
            int(
                (
                    ~np.isin(spans[:, 0], row["places"][:, 0]) | ~np.isin(spans[:, 1], row["places"][:, 1])
                ).sum()
            )
            for spans, row in zip(self.spans, self.rows, strict=True)
        )


class SwappedExamples(TaggedExamples):
    """In every epoch some spans give way to spans of the same label from other texts: names are not learned by heart.

    Source: Dai and Adel (2020), An analysis of simple data augmentation for named entity recognition, section 3
    (mention replacement).

    Args:
        rows: The encoder's arrays of each text, (words, ...).
        spans: Of each text its spans, int64, (spans, 3).
        share: Of the spans that give way.
    """

    def __init__(self, rows: Sequence[Batch], spans: np.ndarray, share: float) -> None:
        super().__init__(rows, spans)
        self.share = share
        self._found = [spans_in(tags) for tags in self.tags]
        self._mentions: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for row, found in enumerate(self._found):
            for first, last, label in found:
                self._mentions[label].append((row, first, last + 1))

    def batch(self, rows: np.ndarray, seed: int, epoch: int, step: int) -> tuple[dict[str, Tensor], Tensor]:
        """Return the arrays of these rows and their tags, int64, (rows, length); what is exchanged follows the seed."""
        chance = np.random.default_rng([seed, epoch, step])
        made = [self._swapped(row, chance) for row in rows.tolist()]
        batch = padded(made)
        tags = torch.from_numpy(batch.pop("tags"))
        return {name: torch.from_numpy(array) for name, array in batch.items()}, tags

    def _swapped(self, row: int, chance: np.random.Generator) -> Batch:
        arrays, found = {**self.rows[row], "tags": self.tags[row]}, self._found[row]
        gone = chance.random(len(found)) < self.share
        if not gone.any():
            return arrays
        # Pieces of texts, one behind the other: (row, first word, word after the last).
        pieces, done = [], 0
        for (first, last, label), is_gone in zip(found, gone.tolist(), strict=True):
            others = self._mentions[label]
            pieces.append((row, done, first))
            pieces.append(others[chance.integers(len(others))] if is_gone else (row, first, last + 1))
            done = last + 1
        pieces.append((row, done, len(self.tags[row])))
        joined = {
            name: np.concatenate([self.rows[r][name][start:end] for r, start, end in pieces])
            for name in self.rows[row]
        }
        return {**joined, "tags": np.concatenate([self.tags[r][start:end] for r, start, end in pieces])}
