"""Whether scores can be read as chances: reliability table, calibration error, Brier score, log loss."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BINS = 15
"""As many as Guo et al. (2017) use."""


@dataclass(frozen=True)
class Reliability:
    """Scores in bins of equal width, and how often they came true.

    Attributes:
        edges: Limits of the bins, float64, (bins + 1,).
        counts: Scores in each bin, int64, (bins,).
        mean_scores: Mean score of each bin, float64, (bins,); NaN where it is empty.
        shares_true: Share of each bin that came true, float64, (bins,); NaN where it is empty.
    """

    edges: np.ndarray
    counts: np.ndarray
    mean_scores: np.ndarray
    shares_true: np.ndarray

    @property
    def ece(self) -> float:
        """Mean distance of score and share over the bins, weighted by their counts."""
        filled = self.counts > 0
        gaps = np.abs(self.mean_scores[filled] - self.shares_true[filled])
        return float(self.counts[filled] @ gaps / max(self.counts.sum(), 1))


def reliability(came_true: np.ndarray, scores: np.ndarray, bins: int = BINS) -> Reliability:
    """Sort scores into bins of equal width from 0 to 1; a score on an edge belongs to the bin below it.

    Args:
        came_true: Whether what was scored came true, bool, (n,).
        scores: The scores, float, (n,).
        bins: How many bins.

    Source: Guo et al. (2017), On calibration of modern neural networks, section 2.
    """
    edges = np.linspace(0.0, 1.0, bins + 1)
    places = np.clip(np.searchsorted(edges, scores, side="left") - 1, 0, bins - 1)
    counts = np.bincount(places, minlength=bins)
    whole = np.where(counts > 0, counts, np.nan)
    return Reliability(
        edges=edges,
        counts=counts,
        mean_scores=np.bincount(places, weights=scores, minlength=bins) / whole,
        shares_true=np.bincount(places, weights=came_true, minlength=bins) / whole,
    )


def decisions(targets: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what a calibration is about: single claims with their scores, and whether each came true.

    Of two labels that is the last one in every row, of more the best one of each row, of several labels a row
    every label of every row.

    Args:
        targets: True label of every row, int, (rows,), or what each row carries, (rows, labels).
        scores: float64, (rows, labels).

    Returns:
        Whether it came true, bool, (n,), and its score, float64, (n,).
    """
    if targets.ndim == 2:
        return (targets > 0).ravel(), scores.ravel()
    if scores.shape[1] == 2:
        return targets == 1, scores[:, 1]
    return scores.argmax(axis=1) == targets, scores.max(axis=1)


def ece(came_true: np.ndarray, scores: np.ndarray, bins: int = BINS) -> float:
    """Return the expected calibration error, 0.0 at best.

    Source: Guo et al. (2017), On calibration of modern neural networks, equation 3.

    >>> round(ece(np.array([True, False]), np.array([0.9, 0.9])), 3)
    0.4
    """
    return reliability(came_true, scores, bins).ece


def brier(targets: np.ndarray, scores: np.ndarray) -> float:
    """Return the mean squared distance of scores and what came true, 0.0 at best.

    Args:
        targets: What came true, (rows,); or one column a label, one true in each row, (rows, labels).
        scores: The scores, in the same shape.

    Returns:
        Mean over the rows of the sum over the labels.

    Source: Brier (1950), Verification of forecasts expressed in terms of probability.

    >>> round(brier(np.array([1.0, 0.0]), np.array([0.8, 0.4])), 3)
    0.1
    """
    squares = (scores - targets) ** 2
    return float(squares.mean() if squares.ndim == 1 else squares.sum(axis=1).mean())


def log_loss(targets: np.ndarray, scores: np.ndarray) -> float:
    """Return the mean negative log of the score that each row's true label got, 0.0 at best.

    Args:
        targets: True label of every row, int, (rows,).
        scores: float64, (rows, labels).

    Source: Good (1952), Rational decisions.

    >>> round(log_loss(np.array([1]), np.array([[0.5, 0.5]])), 4)
    0.6931
    """
    of_the_true = scores[np.arange(len(targets)), targets]
    return float(-np.log(np.clip(of_the_true, _SMALLEST, 1.0)).mean())


def binary_log_loss(targets: np.ndarray, scores: np.ndarray) -> float:
    """Return the mean log loss of single yes-or-no decisions, 0.0 at best.

    Args:
        targets: Whether it came true, (rows, labels) or (rows,).
        scores: The scores, in the same shape.
    """
    chances = np.clip(np.where(targets > 0, scores, 1.0 - scores), _SMALLEST, 1.0)
    return float(-np.log(chances).mean())


# A score of zero for what came true would make the loss infinite: one float64 step above it is bad enough.
_SMALLEST = float(np.finfo(np.float64).eps)
