"""Split-conformal margins: how far from a prediction the truth lies at most, for a promised share of rows."""

from __future__ import annotations

import numpy as np

COVERAGES = (0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98)
"""Shares for which margins are kept; between them they are interpolated."""
PROMISED = 0.9
"""Coverage that reports speak of, and that intervals have where nobody asks for another."""
LEAST_COVERAGE, MOST_COVERAGE = COVERAGES[0], COVERAGES[-1]


def conformal_margins(distances: np.ndarray) -> tuple[float, ...]:
    """Return the distance that a share of new rows stays within, one for each of `COVERAGES`.

    The quantile is taken at (n + 1) x share of n held-out rows, which promises at least that share on average over
    new rows that come from where these came from.

    Args:
        distances: How far each held-out row's truth lies from its prediction, not negative, (rows,).

    Source: Lei et al. (2018), Distribution-free predictive inference for regression, section 2.2.

    >>> margins = conformal_margins(np.arange(1.0, 100.0))
    >>> margins[COVERAGES.index(0.9)]
    90.0
    """
    if not len(distances):
        return ()
    ordered = np.sort(distances)
    ranks = np.ceil((len(ordered) + 1) * np.array(COVERAGES)).astype(int)
    return tuple(ordered[np.minimum(ranks, len(ordered)) - 1].tolist())


def margin_at(margins: tuple[float, ...], coverage: float) -> float:
    """Return the margin of a share between the kept ones.

    >>> round(margin_at((1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0), 0.55), 6)
    1.5
    """
    return float(np.interp(coverage, COVERAGES, margins))


def interval_metrics(
    targets: np.ndarray, low: np.ndarray, high: np.ndarray, coverage: float
) -> dict[str, float]:
    """Return the share of truths within their intervals, and the mean width, named after the promised share.

    Args:
        targets: What is true, (rows,).
        low: Lower ends, (rows,).
        high: Upper ends, (rows,).
        coverage: What was promised.

    >>> interval_metrics(np.array([1.0, 5.0]), np.array([0.0, 0.0]), np.array([2.0, 2.0]), 0.9)
    {'interval_coverage_90': 0.5, 'interval_width_90': 2.0}
    """
    within = (low <= targets) & (targets <= high)
    name = f"{coverage * 100:.0f}"
    return {
        f"interval_coverage_{name}": float(within.mean()),
        f"interval_width_{name}": float((high - low).mean()),
    }
