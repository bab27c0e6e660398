"""How number columns are brought to one size, and what stands where a number is missing."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np

from servery.errors import DataError

KNOTS = 256
"""Quantiles kept of a column; between them is a straight line."""
LIMIT = 8.0
"""Largest scaled value: one mistyped number must not swamp a model."""
HINGES = np.array([-1.5, -0.75, 0.0, 0.75, 1.5])
"""Where the "piecewise" transform lets a slope change, in deviations of a normal distribution."""
TRANSFORMS = ("standard", "quantile", "piecewise")


class Scales:
    """Number columns, as learned from their training values.

    Args:
        medians: Stand in for missing numbers, (columns,).
        means: Subtracted by the standard transform, (columns,).
        deviations: Divide by the standard transform, (columns,).
        has_gaps: Whether numbers were missing in training, so that a mark for it is learned, bool, (columns,).
        knots: Quantiles of each column, (columns, knots); None for the standard transform.
        has_hinges: Whether each number is followed by what it is over each of the `HINGES`.
    """

    def __init__(
        self,
        medians: np.ndarray,
        means: np.ndarray,
        deviations: np.ndarray,
        has_gaps: np.ndarray,
        knots: np.ndarray | None = None,
        has_hinges: bool = False,
    ) -> None:
        self.medians = medians
        self.means = means
        self.deviations = deviations
        self.has_gaps = has_gaps
        self.knots = knots
        self.has_hinges = has_hinges
        self._curves = [_curve(column) for column in knots] if knots is not None else []

    @classmethod
    def fit(cls, values: np.ndarray, transform: str) -> Scales:
        """Learn from the training rows.

        Args:
            values: float64, (rows, columns), NaN where missing.
            transform: "standard" (mean 0, deviation 1), "quantile" (a normal distribution), or "piecewise" (that,
                and hinges, so that a linear model can bend).

        Raises:
            DataError: There is no such transform.
        """
        if transform not in TRANSFORMS:
            raise DataError(f"There is no transform {transform!r}. Known: {', '.join(TRANSFORMS)}.")
        present = [column[~np.isnan(column)] for column in values.T]
        # A column without any number says nothing: it becomes all zeros.
        present = [column if len(column) else np.zeros(1) for column in present]
        deviations = np.array([column.std() for column in present])
        knots = None
        if transform != "standard":
            knots = np.array([np.quantile(column, np.linspace(0, 1, KNOTS)) for column in present])
        return cls(
            medians=np.array([np.median(column) for column in present]),
            means=np.array([column.mean() for column in present]),
            deviations=np.where(deviations > 0, deviations, 1.0),
            has_gaps=np.isnan(values).any(axis=0),
            knots=knots.reshape(len(present), KNOTS) if knots is not None else None,
            has_hinges=transform == "piecewise",
        )

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Return the scaled numbers, then a mark for each missing one where that was learned.

        Args:
            values: float64, (rows, columns), NaN where missing.

        Returns:
            float32, (rows, width).
        """
        missing = np.isnan(values)
        filled = np.where(missing, self.medians, values)
        if self.knots is None:
            scaled = (filled - self.means) / self.deviations
        else:
            scaled = np.empty_like(filled)
            for place, (knots, heights) in enumerate(self._curves):
                scaled[:, place] = np.interp(filled[:, place], knots, heights)
        parts = [np.clip(scaled, -LIMIT, LIMIT), missing[:, self.has_gaps]]
        if self.has_hinges:
            parts.append(np.maximum(scaled[:, :, None] - HINGES, 0.0).reshape(len(values), -1))
        return np.concatenate(parts, axis=1).astype(np.float32)

    @property
    def width(self) -> int:
        """Number of columns that `apply` returns."""
        columns = len(self.medians)
        return columns + int(self.has_gaps.sum()) + self.has_hinges * columns * len(HINGES)

    def named(self, columns: Sequence[str]) -> list[str]:
        """Return for each column that `apply` returns the one of `columns` it was made of."""
        gaps = [column for column, has_gap in zip(columns, self.has_gaps, strict=True) if has_gap]
        hinges = [column for column in columns for _ in HINGES] if self.has_hinges else []
        return [*columns, *gaps, *hinges]

    def state(self) -> dict[str, Any]:
        """Return the scales as plain JSON types."""
        return {
            "medians": self.medians.tolist(),
            "means": self.means.tolist(),
            "deviations": self.deviations.tolist(),
            "has_gaps": self.has_gaps.tolist(),
            "knots": None if self.knots is None else self.knots.tolist(),
            "has_hinges": self.has_hinges,
        }

    @classmethod
    def restore(cls, state: dict[str, Any], columns: int) -> Scales:
        """Rebuild the scales of so many columns.

        Raises:
            ValueError: They do not fit together.
        """
        means, medians, deviations = (
            np.array(state[key], np.float64).reshape(columns) for key in ("means", "medians", "deviations")
        )
        has_gaps = np.array(state["has_gaps"], bool).reshape(columns)
        knots = state["knots"]
        if knots is not None:
            knots = np.array(knots, np.float64).reshape(columns, KNOTS)
        if not np.isfinite([means, medians, deviations]).all() or (deviations <= 0).any():
            raise ValueError("a scale that is not finite and positive")
        if knots is not None and not np.isfinite(knots).all():
            raise ValueError("a quantile that is not finite")
        return cls(medians, means, deviations, has_gaps, knots, bool(state["has_hinges"]))


def _curve(quantiles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    # Equal quantiles belong to one value that fills several of them: their middle stands for it.
    knots, first, counts = np.unique(quantiles, return_index=True, return_counts=True)
    shares = (first + counts / 2) / len(quantiles)
    normal = NormalDist()
    return knots, np.array([normal.inv_cdf(float(share)) for share in shares])
