"""How long a batch takes, as a line over its rows, learned while batches run."""

from __future__ import annotations

import math
from collections.abc import Mapping

MEMORY = 0.95
"""What a batch's weight is multiplied by with each later batch: the last twenty or so count."""
LEAST_SPREAD = 0.25
"""Variance of the rows below which the batches seen say nothing about the slope."""


class LatencyModel:
    """Seconds of a batch = fixed + seconds a row * rows; both are fitted by least squares with fading weights.

    Batches of one size only teach their mean: the slope then stays what it was.

    Args:
        measured: Rows to seconds, from a measurement made before.

    >>> model = LatencyModel({1: 0.002, 11: 0.012})
    >>> round(model.seconds(21), 4)
    0.022
    """

    def __init__(self, measured: Mapping[int, float] | None = None) -> None:
        self._weight = 0.0
        self._rows = 0.0
        self._seconds = 0.0
        self._rows_squared = 0.0
        self._product = 0.0
        self._fixed = 0.0
        self._slope = 0.0
        for rows, seconds in (measured or {}).items():
            self.learn(rows, seconds)

    @property
    def is_known(self) -> bool:
        """Whether a batch was seen at all."""
        return self._weight > 0

    def learn(self, rows: int, seconds: float) -> None:
        """Take in what a batch took."""
        self._weight = self._weight * MEMORY + 1
        self._rows = self._rows * MEMORY + rows
        self._seconds = self._seconds * MEMORY + seconds
        self._rows_squared = self._rows_squared * MEMORY + rows * rows
        self._product = self._product * MEMORY + rows * seconds
        mean_rows, mean_seconds = self._rows / self._weight, self._seconds / self._weight
        variance = self._rows_squared / self._weight - mean_rows * mean_rows
        if variance > LEAST_SPREAD:
            self._slope = max((self._product / self._weight - mean_rows * mean_seconds) / variance, 0.0)
        elif not self._slope:
            self._slope = mean_seconds / mean_rows
        self._slope = min(self._slope, mean_seconds / mean_rows)  # nothing takes less than no time
        self._fixed = mean_seconds - self._slope * mean_rows

    def seconds(self, rows: int) -> float:
        """Return what a batch of so many rows should take."""
        return self._fixed + self._slope * rows if rows else 0.0

    def rows_within(self, seconds: float) -> float:
        """Return how many rows a batch may have that is to take no longer; infinite where rows cost nothing.

        >>> round(LatencyModel({1: 0.002, 11: 0.012}).rows_within(0.022))
        21
        """
        return (seconds - self._fixed) / self._slope if self._slope else math.inf

    def seconds_in_batches(self, rows: float, max_batch_rows: int) -> float:
        """Return what so many rows should take in full batches and a last smaller one."""
        full, rest = divmod(int(rows), max_batch_rows)
        return full * self.seconds(max_batch_rows) + self.seconds(rest)
