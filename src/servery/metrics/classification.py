"""How well one label a row was found: confusion matrix, accuracy, precision, recall and F1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PerLabel:
    """Precision, recall and F1 of every label, float64, (labels,), and how many rows truly carry it, int64.

    A value whose denominator is empty is 0.0; `occurs` is False for a label that neither stands in the
    targets nor was ever predicted, so that a mean can leave it out.
    """

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray
    occurs: np.ndarray

    @classmethod
    def from_counts(cls, hits: np.ndarray, predicted: np.ndarray, support: np.ndarray) -> PerLabel:
        """Work the shares out from counts.

        Args:
            hits: Rows where the label was rightly predicted, (labels,).
            predicted: Rows where the label was predicted, (labels,).
            support: Rows that carry the label, (labels,).
        """
        return cls(
            precision=_share(hits, predicted),
            recall=_share(hits, support),
            f1=_share(2 * hits, predicted + support),
            support=support,
            occurs=(predicted + support) > 0,
        )

    @property
    def macro_f1(self) -> float:
        """Mean F1 over the labels that occur; 0.0 if none does."""
        return float(self.f1[self.occurs].mean()) if self.occurs.any() else 0.0


def confusion_matrix(targets: np.ndarray, predicted: np.ndarray, label_count: int) -> np.ndarray:
    """Count how often each true label was given each predicted one.

    Args:
        targets: True label of every row, int, (rows,).
        predicted: Predicted label of every row, int, (rows,).
        label_count: Number of labels.

    Returns:
        int64, (true labels, predicted labels).

    >>> confusion_matrix(np.array([0, 0, 1]), np.array([0, 1, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    pairs = targets.astype(np.int64) * label_count + predicted
    return np.bincount(pairs, minlength=label_count * label_count).reshape(label_count, label_count)


def per_label(matrix: np.ndarray) -> PerLabel:
    """Return precision, recall, F1 and support of every label of a confusion matrix.

    Source: Manning, Raghavan, Schuetze (2008), Introduction to Information Retrieval, section 8.3.
    """
    return PerLabel.from_counts(np.diag(matrix), matrix.sum(axis=0), matrix.sum(axis=1))


def accuracy(matrix: np.ndarray) -> float:
    """Return the share of rows whose label was found.

    >>> accuracy(np.array([[3, 1], [0, 4]]))
    0.875
    """
    return float(np.trace(matrix) / max(matrix.sum(), 1))


def balanced_accuracy(matrix: np.ndarray) -> float:
    """Return the mean recall over the labels that occur in the targets.

    Source: Brodersen et al. (2010), The balanced accuracy and its posterior distribution.
    """
    measured = per_label(matrix)
    present = measured.support > 0
    return float(measured.recall[present].mean()) if present.any() else 0.0


def macro_f1(matrix: np.ndarray) -> float:
    """Return the mean F1 over the labels that occur in the targets or the predictions.

    Source: Manning, Raghavan, Schuetze (2008), Introduction to Information Retrieval, section 13.6.

    >>> macro_f1(np.array([[1, 1], [0, 2]]))
    0.7333333333333334
    """
    return per_label(matrix).macro_f1


def micro_f1(matrix: np.ndarray) -> float:
    """Return the F1 over all decisions; with one label a row it equals the accuracy."""
    return accuracy(matrix)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    shares = np.zeros(len(part), dtype=np.float64)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares
