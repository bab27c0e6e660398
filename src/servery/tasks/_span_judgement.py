"""Spans that were said beside those that are right, counted row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from servery.metrics.calibration import ece
from servery.metrics.entities import SpanCounts, are_right, count_spans


@dataclass(frozen=True)
class SpanJudgement:
    """Counts of each row, so that any choice of rows is measured by sums.

    Attributes:
        counts: Spans found, said and there.
        of_any_label: The same, whatever the labels.
        scores: Of each span said.
        is_right: Whether it is a true one.
        row_of_score: The row it stands in.
    """

    counts: SpanCounts
    of_any_label: SpanCounts
    scores: np.ndarray
    is_right: np.ndarray
    row_of_score: np.ndarray

    @classmethod
    def of(
        cls,
        truths: Sequence[np.ndarray],
        said: Sequence[np.ndarray],
        scores: Sequence[Sequence[float]],
        label_count: int,
    ) -> SpanJudgement:
        """Count the spans of every row.

        Args:
            truths: Of each row the true spans, int64, (spans, 3): start, end, label.
            said: Of each row those a model says, likewise.
            scores: How likely it held each of them.
            label_count: Number of labels.
        """
        bare_truths, bare_said = ([spans * [1, 1, 0] for spans in many] for many in (truths, said))
        right = [are_right(truth, guess) for truth, guess in zip(truths, said, strict=True)]
        return cls(
            counts=count_spans(truths, said, label_count),
            of_any_label=count_spans(bare_truths, bare_said, 1),
            scores=np.array([score for row in scores for score in row]),
            is_right=np.concatenate([*right, np.zeros(0, bool)]),
            row_of_score=np.repeat(np.arange(len(said)), [len(row) for row in scores]),
        )

    def measure(self, rows: np.ndarray) -> dict[str, float]:
        """Return every metric on these rows."""
        precision, recall, f1 = self.counts.overall(rows)
        metrics = {
            "entity_f1": f1,
            "entity_precision": precision,
            "entity_recall": recall,
            "macro_entity_f1": self.counts.of_labels(rows).macro_f1,
            "place_f1": self.of_any_label.overall(rows)[2],
        }
        repeats = np.bincount(rows, minlength=len(self.counts.said))[self.row_of_score]
        if repeats.any():
            metrics["ece"] = ece(np.repeat(self.is_right, repeats), np.repeat(self.scores, repeats))
        return metrics

    def primary(self, rows: np.ndarray) -> float:
        """Return the F1 over all spans."""
        return self.counts.overall(rows)[2]
