"""How well any number of labels a row were found."""

from __future__ import annotations

import numpy as np

from servery.metrics.classification import PerLabel


def per_label(targets: np.ndarray, selected: np.ndarray) -> PerLabel:
    """Return precision, recall, F1 and support of every label.

    Args:
        targets: Whether the row carries the label, bool, (rows, labels).
        selected: Whether the label was predicted, bool, (rows, labels).
    """
    return PerLabel.from_counts(
        hits=(targets & selected).sum(axis=0), predicted=selected.sum(axis=0), support=targets.sum(axis=0)
    )


def macro_f1(targets: np.ndarray, selected: np.ndarray) -> float:
    """Return the mean F1 over the labels that occur in the targets or the predictions.

    Source: Manning, Raghavan, Schuetze (2008), Introduction to Information Retrieval, section 13.6.
    """
    return per_label(targets, selected).macro_f1


def micro_f1(targets: np.ndarray, selected: np.ndarray) -> float:
    """Return the F1 over all decisions of all labels together; 0.0 where nothing was or should be selected.

    >>> micro_f1(np.array([[True, False], [True, True]]), np.array([[True, True], [True, False]]))
    0.6666666666666666
    """
    decided = selected.sum() + targets.sum()
    return float(2 * (targets & selected).sum() / decided) if decided else 0.0


def subset_accuracy(targets: np.ndarray, selected: np.ndarray) -> float:
    """Return the share of rows where every label is right.

    >>> subset_accuracy(np.array([[True, False], [True, True]]), np.array([[True, False], [True, False]]))
    0.5
    """
    return float((targets == selected).all(axis=1).mean())


def hamming_loss(targets: np.ndarray, selected: np.ndarray) -> float:
    """Return the share of single decisions that are wrong; smaller is better.

    Source: Schapire, Singer (1999), Improved boosting algorithms using confidence-rated predictions.
    """
    return float((targets != selected).mean())
