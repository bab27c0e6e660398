"""How well scores rank positive rows above negative ones: ROC and precision-recall curves and their areas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ranking:
    """Rows counted at every distinct score, from the highest down; one sort serves every metric below.

    Attributes:
        thresholds: Distinct scores, descending, float64, (points,).
        true_positives: Positive rows with at least that score, int64, (points,).
        false_positives: Negative rows with at least that score, int64, (points,).
    """

    thresholds: np.ndarray
    true_positives: np.ndarray
    false_positives: np.ndarray

    @classmethod
    def of(cls, is_positive: np.ndarray, scores: np.ndarray) -> Ranking:
        """Sort the rows by score.

        Args:
            is_positive: Whether the row is positive, bool, (rows,).
            scores: How positive it is thought to be, float, (rows,).
        """
        order = np.argsort(-scores)
        ranked = scores[order]
        last_of_ties = np.append(np.flatnonzero(ranked[1:] != ranked[:-1]), len(ranked) - 1)
        hits = np.cumsum(is_positive[order], dtype=np.int64)[last_of_ties]
        return cls(ranked[last_of_ties], hits, last_of_ties + 1 - hits)

    @property
    def is_defined(self) -> bool:
        """Whether there are rows of both kinds; every value below is NaN otherwise."""
        return bool(self.true_positives[-1] > 0 and self.false_positives[-1] > 0)

    @property
    def true_positive_rate(self) -> np.ndarray:
        """Share of the positive rows at or above each threshold, float64, (points,)."""
        return self.true_positives / max(int(self.true_positives[-1]), 1)

    @property
    def false_positive_rate(self) -> np.ndarray:
        """Share of the negative rows at or above each threshold, float64, (points,)."""
        return self.false_positives / max(int(self.false_positives[-1]), 1)

    @property
    def precision(self) -> np.ndarray:
        """Share of positive rows among those at or above each threshold, float64, (points,)."""
        return np.asarray(self.true_positives / (self.true_positives + self.false_positives))

    @property
    def roc_auc(self) -> float:
        """Chance that a positive row scores above a negative one, ties counting half."""
        if not self.is_defined:
            return float("nan")
        width = np.diff(self.false_positive_rate, prepend=0.0)
        height = self.true_positive_rate - np.diff(self.true_positive_rate, prepend=0.0) / 2
        return float(width @ height)

    @property
    def average_precision(self) -> float:
        """Mean of the precisions at each threshold, weighted by the gain in recall."""
        if not self.is_defined:
            return float("nan")
        return float(np.diff(self.true_positive_rate, prepend=0.0) @ self.precision)

    @property
    def ks(self) -> float:
        """Largest distance between the score distributions of positive and negative rows."""
        if not self.is_defined:
            return float("nan")
        return float(np.abs(self.true_positive_rate - self.false_positive_rate).max())


def roc_curve(is_positive: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return false and true positive rates, ascending from (0, 0) to (1, 1), each float64, (points + 1,).

    Source: Fawcett (2006), An introduction to ROC analysis.
    """
    ranking = Ranking.of(is_positive, scores)
    return np.append(0.0, ranking.false_positive_rate), np.append(0.0, ranking.true_positive_rate)


def precision_recall_curve(is_positive: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return recall, ascending, and the precision at it, each float64, (points,).

    Source: Davis, Goadrich (2006), The relationship between precision-recall and ROC curves.
    """
    ranking = Ranking.of(is_positive, scores)
    return ranking.true_positive_rate, ranking.precision


def roc_auc(is_positive: np.ndarray, scores: np.ndarray) -> float:
    """Return the area under the ROC curve; NaN if all rows are of one kind.

    Source: Hanley, McNeil (1982), The meaning and use of the area under a ROC curve.

    >>> roc_auc(np.array([False, True, False, True]), np.array([0.1, 0.4, 0.35, 0.8]))
    1.0
    """
    return Ranking.of(is_positive, scores).roc_auc


def average_precision(is_positive: np.ndarray, scores: np.ndarray) -> float:
    """Return the average precision; NaN if all rows are of one kind.

    Source: Manning, Raghavan, Schuetze (2008), Introduction to Information Retrieval, section 8.4.
    """
    return Ranking.of(is_positive, scores).average_precision


def ks(is_positive: np.ndarray, scores: np.ndarray) -> float:
    """Return the Kolmogorov-Smirnov distance of the two score distributions; NaN if all rows are of one kind.

    Source: Thomas (2009), Consumer Credit Models, chapter 2.
    """
    return Ranking.of(is_positive, scores).ks


def gini(is_positive: np.ndarray, scores: np.ndarray) -> float:
    """Return the Gini coefficient of credit scoring, 2 AUC - 1; NaN if all rows are of one kind.

    Source: Thomas (2009), Consumer Credit Models, chapter 2.
    """
    return 2 * roc_auc(is_positive, scores) - 1


def macro_ranking(targets: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """Return ROC AUC and average precision, each the mean over labels of one against the rest.

    Labels whose rows are all of one kind are left out; NaN if that leaves none.

    Args:
        targets: Whether the row carries the label, bool, (rows, labels).
        scores: float, (rows, labels).

    Source: Fawcett (2006), An introduction to ROC analysis, on more than two classes.
    """
    # A label's column lies together in memory: sorting it takes half the time.
    columns = zip(np.ascontiguousarray(targets.T), np.ascontiguousarray(scores.T), strict=True)
    rankings = [Ranking.of(carried, column) for carried, column in columns]
    defined = [ranking for ranking in rankings if ranking.is_defined]
    if not defined:
        return float("nan"), float("nan")
    return (
        float(np.mean([ranking.roc_auc for ranking in defined])),
        float(np.mean([ranking.average_precision for ranking in defined])),
    )
