"""Whether values still come from where they came from: the population stability index over bins."""

from __future__ import annotations

import numpy as np

LEAST_SHARE = 1e-4
"""An empty bin counts as this share: a logarithm of nothing would be infinite."""
SHIFTED = 0.1
MOVED = 0.25


def population_stability_index(known: np.ndarray, counts: np.ndarray) -> float:
    """Return how far counted shares are from known ones, 0 where they are equal.

    The sum over bins of (share - known) * ln(share / known), which is Jeffreys' divergence.

    Source: Siddiqi (2006), Credit Risk Scorecards, chapter 9 (system stability).

    Args:
        known: Share of the earlier rows in each bin, float64, (bins,).
        counts: New rows in each bin, (bins,).

    >>> known = np.array([0.5, 0.5])
    >>> population_stability_index(known, np.array([50, 50]))
    0.0
    >>> round(population_stability_index(known, np.array([80, 20])), 3)
    0.416
    """
    expected = np.maximum(np.asarray(known, np.float64), LEAST_SHARE)
    found = np.maximum(counts / max(float(np.sum(counts)), 1.0), LEAST_SHARE)
    return float(((found - expected) * np.log(found / expected)).sum())


def index_by_chance(bins: int, known_rows: int, rows: int) -> float:
    """Return the index that two samples of the same population have on average.

    Source: Yurdakul (2018), Statistical properties of the population stability index, section 3: it follows
    (1/n + 1/m) times a chi-squared distribution of bins - 1 degrees of freedom.

    >>> round(index_by_chance(10, 1000, 100), 3)
    0.099
    """
    return max(bins - 1, 0) * (1.0 / max(known_rows, 1) + 1.0 / max(rows, 1))


def stability_word(index: float, by_chance: float) -> str:
    """Return "stable", "shifted" or "moved" by the usual limits; what chance alone gives is stable.

    Source of the limits 0.1 and 0.25: Siddiqi (2006), chapter 9.

    >>> stability_word(0.3, 0.01), stability_word(0.12, 0.01), stability_word(0.12, 0.1)
    ('moved', 'shifted', 'stable')
    """
    if index < SHIFTED or index < 2 * by_chance:
        return "stable"
    return "shifted" if index < MOVED else "moved"
