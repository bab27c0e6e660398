"""How well labelled spans were found: exact places and labels, as conlleval and seqeval count them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from servery.metrics.classification import PerLabel


@dataclass(frozen=True)
class SpanCounts:
    """Spans of each row and label, int64, (rows, labels): found, said and truly there.

    Source: Tjong Kim Sang and De Meulder (2003), Introduction to the CoNLL-2003 shared task, section 2.5.
    """

    hits: np.ndarray
    said: np.ndarray
    there: np.ndarray

    def of_labels(self, rows: np.ndarray | slice = slice(None)) -> PerLabel:
        """Return precision, recall and F1 of every label on these rows."""
        return PerLabel.from_counts(*(counts[rows].sum(axis=0) for counts in self._all))

    def overall(self, rows: np.ndarray | slice = slice(None)) -> tuple[float, float, float]:
        """Return precision, recall and F1 over all spans of these rows; 0 where nothing was said or there."""
        hits, said, there = (int(counts[rows].sum()) for counts in self._all)
        return hits / max(said, 1), hits / max(there, 1), 2 * hits / max(said + there, 1)

    @property
    def _all(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        return self.hits, self.said, self.there


def count_spans(there: Sequence[np.ndarray], said: Sequence[np.ndarray], label_count: int) -> SpanCounts:
    """Count spans that are right in start, end and label; each true one is found at most once.

    Args:
        there: Of each row the true spans, int64, (spans, 3): start, end, label.
        said: Of each row those a model says, likewise.
        label_count: Number of labels.

    >>> truth, guess = np.array([[0, 4, 0], [9, 12, 1]]), np.array([[0, 4, 0], [9, 11, 1]])
    >>> count_spans([truth], [guess], 2).overall()
    (0.5, 0.5, 0.5)
    """
    counts = np.zeros((3, len(there), label_count), np.int64)
    for row, (truth, guess) in enumerate(zip(there, said, strict=True)):
        known = set(map(tuple, truth.tolist()))
        for span in guess.tolist():
            if tuple(span) in known:
                known.remove(tuple(span))
                counts[0, row, span[2]] += 1
        counts[1, row] = np.bincount(guess[:, 2], minlength=label_count)
        counts[2, row] = np.bincount(truth[:, 2], minlength=label_count)
    return SpanCounts(*counts)


def are_right(truth: np.ndarray, guess: np.ndarray) -> np.ndarray:
    """Return which of the spans said are true ones, bool, (spans,)."""
    known = set(map(tuple, truth.tolist()))
    return np.fromiter((tuple(span) in known for span in guess.tolist()), bool, len(guess))
