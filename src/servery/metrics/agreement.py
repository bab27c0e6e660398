"""How far two sets of labels agree beyond chance."""

from __future__ import annotations

import numpy as np


def cohen_kappa(matrix: np.ndarray) -> float:
    """Return the agreement beyond the one expected by chance: 1.0 for full, 0.0 for chance.

    Args:
        matrix: Confusion matrix, (labels, labels).

    Source: Cohen (1960), A coefficient of agreement for nominal scales.

    >>> cohen_kappa(np.array([[5, 0], [0, 5]]))
    1.0
    """
    total = matrix.sum()
    expected = matrix.sum(axis=0) @ matrix.sum(axis=1) / total**2
    return float((np.trace(matrix) / total - expected) / (1 - expected)) if expected < 1 else 1.0


def matthews_correlation(matrix: np.ndarray) -> float:
    """Return the correlation of true and predicted labels, from -1.0 to 1.0; 0.0 where one is constant.

    Args:
        matrix: Confusion matrix, (labels, labels).

    Source: Gorodkin (2004), Comparing two K-category assignments by a K-category correlation coefficient.
    """
    counts = matrix.astype(np.float64)
    total, hits = counts.sum(), np.trace(counts)
    predicted, true = counts.sum(axis=0), counts.sum(axis=1)
    spread = (total**2 - predicted @ predicted) * (total**2 - true @ true)
    return float((hits * total - predicted @ true) / np.sqrt(spread)) if spread > 0 else 0.0
