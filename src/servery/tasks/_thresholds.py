"""From which score a label is selected: the best F1 on validation, held back where positives are few."""

from __future__ import annotations

import numpy as np

GRID = np.arange(-6.0, 4.001, 0.1)
"""Candidate thresholds in log odds: scores from 0.0025 to 0.98."""

SMOOTHING = 5
"""Candidates whose F1 is averaged: one lucky row makes a peak no wider than one step."""

HALF_WEIGHT = 20.0
"""Positives at which a label's own threshold counts as much as the common one; chosen by design, not tuned."""


def fit_thresholds(targets: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """Return one threshold a label, a score from 0 to 1.

    The common threshold is the best for the mean F1 over labels. A label's own is drawn towards it, the more
    the fewer rows carry the label, because the best threshold of a dozen positives is mostly luck.

    Args:
        targets: Whether the row carries the label, bool, (rows, labels).
        logits: Log odds, float64, (rows, labels).

    Returns:
        float64, (labels,).

    Source: Fan, Lin (2007), A study on threshold selection for multi-label classification, on why rare labels
    need holding back; the shrinkage is ours.
    """
    curves = np.stack([_f1_curve(targets[:, i], logits[:, i]) for i in range(targets.shape[1])])
    smooth = np.stack([_smoothed(curve) for curve in curves])  # (labels, candidates)
    common = GRID[smooth.mean(axis=0).argmax()]
    own = GRID[smooth.argmax(axis=1)]
    positives = targets.sum(axis=0)
    weight = positives / (positives + HALF_WEIGHT)
    return np.asarray(1.0 / (1.0 + np.exp(-(weight * own + (1 - weight) * common))))


def _f1_curve(carried: np.ndarray, logits: np.ndarray) -> np.ndarray:
    """F1 of one label at every candidate, (candidates,)."""
    selected = len(logits) - np.searchsorted(np.sort(logits), GRID)
    positives = int(carried.sum())
    hits = positives - np.searchsorted(np.sort(logits[carried]), GRID)
    return np.asarray(2.0 * hits / np.maximum(selected + positives, 1))


def _smoothed(curve: np.ndarray) -> np.ndarray:
    padded = np.pad(curve, SMOOTHING // 2, mode="edge")
    return np.convolve(padded, np.full(SMOOTHING, 1 / SMOOTHING), mode="valid")
