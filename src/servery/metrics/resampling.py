"""How sure a metric is: bootstrap intervals over rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

RESAMPLES = 300
"""Enough for a 95 % interval to two digits: a quantile's error is about 1 % of the distribution's width."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Where a value lies, with 95 % confidence."""

    low: float
    high: float

    def overlaps(self, other: Interval) -> bool:
        """Whether the two have a value in common.

        >>> Interval(0.1, 0.3).overlaps(Interval(0.3, 0.5))
        True
        """
        return self.low <= other.high and other.low <= self.high


def wilson(share: float, rows: int) -> Interval:
    """Return the 95 % interval of a share of rows.

    For a mean of values between 0 and 1 it is on the wide side: nothing varies more than zeros and ones.

    Source: Wilson (1927), Probable inference, the law of succession, and statistical inference.

    >>> found = wilson(0.5, 100)
    >>> round(found.low, 3), round(found.high, 3)
    (0.404, 0.596)
    """
    z2 = 1.959964**2
    middle = (share + z2 / (2 * rows)) / (1 + z2 / rows)
    reach = np.sqrt(z2 * (share * (1 - share) / rows + z2 / (4 * rows**2))) / (1 + z2 / rows)
    # Rounding must not push an end past the share itself.
    return Interval(max(0.0, min(share, float(middle - reach))), min(1.0, max(share, float(middle + reach))))


def bootstrap(
    measure: Callable[[np.ndarray], Mapping[str, float]],
    rows: int,
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Interval]:
    """Return the 95 % percentile interval of everything that `measure` returns.

    To compare two models, let `measure` return the difference of their metrics on the same rows: the paired
    interval is narrower than the two taken apart.

    Args:
        measure: Gets row positions, int64, (rows,), drawn with replacement; returns metrics by name. A metric
            that it leaves out or returns as NaN in more than half of the resamples gets no interval.
        rows: Number of rows to draw from.
        resamples: How often to draw.
        seed: The draws depend on it only.

    Source: Efron, Tibshirani (1993), An introduction to the bootstrap, section 13.3.

    >>> values = np.arange(100.0)
    >>> found = bootstrap(lambda rows: {"mean": values[rows].mean()}, rows=100)["mean"]
    >>> found.low < 49.5 < found.high
    True
    """
    generator = np.random.default_rng(seed)
    drawn = [measure(generator.integers(0, rows, size=rows)) for _ in range(resamples)]
    names = dict.fromkeys(name for metrics in drawn for name in metrics)
    samples = {name: np.array([metrics.get(name, np.nan) for metrics in drawn]) for name in names}
    return {
        name: Interval(*(float(bound) for bound in np.nanpercentile(values, [2.5, 97.5])))
        for name, values in samples.items()
        if np.isfinite(values).mean() > 0.5
    }
