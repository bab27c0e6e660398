"""Which numbers of a table occur together: an ellipsoid around the rows that were learned from."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset

LEAST_ROWS, MOST_COLUMNS = 20, 60
LEAST_VARIANCE = 1e-4
"""In variances of a column: rows that keep an exact relation are still allowed a hundredth of a deviation off it."""

NARROW = 0.05
"""Of the variance along an axis of the ellipsoid: from here on the columns keep a relation, and rows lie near it."""


RELATED = 0.6
"""Columns whose correlation is at least so strong are looked at together."""
MOST_COMBINATIONS = 64
ROWS_A_COMBINATION = 4
"""On average: fewer would tell of single rows."""


@dataclass(frozen=True)
class Group:
    """Columns of which only few combinations of values occurred.

    Attributes:
        names: Of the columns.
        rows: Their values, one tuple a combination.
    """

    names: tuple[str, ...]
    rows: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, eq=False)
class Envelope:
    """Means and covariance of number columns, and how far from the means the farthest learned row lies.

    Distances are Mahalanobis's (1936), On the generalised distance in statistics, in deviations.

    Attributes:
        names: Of the columns.
        means: (columns,).
        deviations: (columns,).
        correlations: Of the columns, (columns, columns).
        farthest: Distance of the farthest row that was learned from.
        groups: Related columns with few combinations of values.
    """

    names: tuple[str, ...]
    means: np.ndarray
    deviations: np.ndarray
    correlations: np.ndarray
    farthest: float
    groups: tuple[Group, ...] = ()

    @classmethod
    def fit(cls, columns: Sequence[Column], dataset: Dataset) -> Envelope | None:
        """Look at the rows of a training part; None where there is nothing to learn of numbers together."""
        names = tuple(column.name for column in columns if column.kind is Kind.NUMBER)
        if not 2 <= len(names) <= MOST_COLUMNS or len(dataset) < LEAST_ROWS:
            return None
        values = np.stack([np.asarray(dataset[name], np.float64) for name in names], axis=1)
        values = values[np.isfinite(values).all(axis=1)]
        if len(values) < LEAST_ROWS:
            return None
        deviations = values.std(axis=0)
        deviations[deviations == 0] = 1.0
        scaled = (values - values.mean(axis=0)) / deviations
        correlations = scaled.T @ scaled / len(scaled)
        found = cls(names, values.mean(axis=0), deviations, correlations, 0.0)
        farthest = float(found._distances(scaled).max())
        return replace(found, farthest=farthest, groups=_groups(names, values, correlations))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Envelope) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.names, self.farthest))

    def distances(self, examples: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Return how far rows lie from the means, (rows,); a missing number stands at its mean."""
        values = np.array([[_number(example.get(name)) for name in self.names] for example in examples])
        scaled = (values.reshape(len(examples), len(self.names)) - self.means) / self.deviations
        return self._distances(np.nan_to_num(scaled, nan=0.0))

    def drawn_in(self, numbers: Mapping[str, float], fixed: Collection[str]) -> dict[str, float]:
        """Return numbers that occur together, near some that may not; the fixed ones stay.

        Where the rows keep a relation the numbers are brought to it; then all free ones come nearer to where they lie
        on average beside the fixed ones, until they are no farther than the farthest row.

        Source: Eaton (1983), Multivariate Statistics, proposition 3.13 (conditional normal distribution).
        """
        values = (np.array([numbers[name] for name in self.names]) - self.means) / self.deviations
        is_fixed = np.array([name in fixed for name in self.names])
        free, given = np.flatnonzero(~is_fixed), np.flatnonzero(is_fixed)
        if not len(free):
            return dict(numbers)
        covariance = self._covariance
        gain = covariance[np.ix_(free, given)] @ np.linalg.inv(covariance[np.ix_(given, given)])
        left = covariance[np.ix_(free, free)] - gain @ covariance[np.ix_(given, free)]
        variances, axes = np.linalg.eigh(left)  # (axes,), (free, axes)
        deviations = np.sqrt(np.maximum(variances, LEAST_VARIANCE))
        means = gain @ values[given]
        steps = axes.T @ (values[free] - means) / deviations  # (axes,)
        steps = np.where(variances < NARROW, np.clip(steps, -1.0, 1.0), steps)
        far = np.linalg.norm(steps)
        steps *= min(1.0, self.farthest / far) if far else 1.0
        values[free] = means + axes @ (steps * deviations)
        found = (values * self.deviations + self.means).tolist()
        return dict(zip(self.names, found, strict=True))

    @property
    def _covariance(self) -> np.ndarray:
        return np.asarray(self.correlations + LEAST_VARIANCE * np.eye(len(self.names)))

    @cached_property
    def _inverse(self) -> np.ndarray:
        # Every request of a table asks for distances: inverted once, not each time.
        return np.linalg.inv(self._covariance)

    def _distances(self, scaled: np.ndarray) -> np.ndarray:
        return np.asarray(np.sqrt(np.einsum("ri,ij,rj->r", scaled, self._inverse, scaled)))

    def to_dict(self) -> dict[str, Any]:
        """Return the envelope as plain JSON types."""
        return {
            "names": list(self.names),
            "means": self.means.tolist(),
            "deviations": self.deviations.tolist(),
            "correlations": self.correlations.tolist(),
            "farthest": self.farthest,
            "groups": [{"names": list(g.names), "rows": [list(row) for row in g.rows]} for g in self.groups],
        }

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Envelope:
        """Rebuild an envelope from `to_dict`.

        Raises:
            ValueError: The shapes do not fit together, or a number is not finite.
        """
        names = tuple(map(str, value["names"]))
        means, deviations = (
            np.array(value[key], np.float64).reshape(len(names)) for key in ("means", "deviations")
        )
        correlations = np.array(value["correlations"], np.float64).reshape(len(names), len(names))
        if not all(np.isfinite(array).all() for array in (means, deviations, correlations)):
            raise ValueError("an envelope that is not finite")
        groups = tuple(
            Group(tuple(map(str, group["names"])), tuple(tuple(map(float, row)) for row in group["rows"]))
            for group in value.get("groups", ())
        )
        return cls(names, means, deviations, correlations, float(value["farthest"]), groups)


def _groups(names: Sequence[str], values: np.ndarray, correlations: np.ndarray) -> tuple[Group, ...]:
    """Return related columns, and columns alone, that have few combinations of values."""
    left, found = set(range(len(names))), []
    while left:
        together, border = set(), {min(left)}
        while border:
            together |= border
            border = {j for i in border for j in left if abs(correlations[i, j]) >= RELATED} - together
        left -= together
        members = sorted(together)
        rows = np.unique(values[:, members], axis=0)
        if len(rows) <= min(MOST_COMBINATIONS, len(values) // ROWS_A_COMBINATION):
            combinations = tuple(tuple(row) for row in rows.tolist())
            found.append(Group(tuple(names[member] for member in members), combinations))
    return tuple(found)


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
