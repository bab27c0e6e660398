"""Cuts the columns of a table into bins by a small tree each, and counts what is in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.tree import DecisionTreeClassifier

from servery.data.columns import Column, Kind
from servery.models.encoders.weight_of_evidence import Bin, ColumnBins

LEAST_ROWS = 5
"""Of a bin: the weight of fewer says nothing."""
PRIOR_ROWS = 0.5
"""Added to the good and the bad rows of each bin, so that an empty one has a logarithm."""


@dataclass(frozen=True)
class Binning:
    """How columns are cut.

    Attributes:
        most_bins: Of one column.
        least_share: Of the rows, in each bin.
        is_bad: Whether each training row has the last label, bool, (rows,).
    """

    most_bins: int
    least_share: float
    is_bad: np.ndarray

    def column(self, column: Column, cells: Sequence[Any], direction: int | None) -> ColumnBins:
        """Return the bins of a column.

        Args:
            column: Its name and kind.
            cells: Of the training rows.
            direction: +1 where the share of bad may only grow with the number, -1 where it may only fall, 0 for the
                one of the two that the rows show, None for neither.
        """
        if column.kind is Kind.CATEGORY:
            return self._categories(cells)
        return self._numbers(np.array([np.nan if c is None else c for c in cells], np.float64), direction)

    @property
    def _least_rows(self) -> int:
        return max(int(np.ceil(self.least_share * len(self.is_bad))), LEAST_ROWS)

    def _numbers(self, values: np.ndarray, direction: int | None) -> ColumnBins:
        known = np.isfinite(values)
        edges = self._cut(values[known], self.is_bad[known])
        if direction is not None and edges:
            edges = _monotone(values[known], self.is_bad[known], edges, direction)
        places = np.where(known, np.searchsorted(np.array(edges), values, side="left"), -1)
        bins = [self._bin(_between(edges, place), places == place) for place in range(len(edges) + 1)]
        return ColumnBins(tuple(bins), self._bin("missing", ~known), edges=tuple(edges))

    def _cut(self, values: np.ndarray, is_bad: np.ndarray) -> list[float]:
        if len(values) < 2 * self._least_rows or is_bad.all() or not is_bad.any():
            return []
        tree = DecisionTreeClassifier(
            criterion="entropy",
            max_leaf_nodes=max(self.most_bins, 2),
            min_samples_leaf=self._least_rows,
            random_state=0,
        ).fit(values[:, None], is_bad)
        return sorted(tree.tree_.threshold[tree.tree_.feature >= 0].tolist())

    def _categories(self, cells: Sequence[Any]) -> ColumnBins:
        counted = Counter(cell for cell in cells if cell is not None)
        kept = sorted(value for value, count in counted.items() if count >= self._least_rows)
        places = {value: place for place, value in enumerate(kept)}
        found = np.array([-2 if cell is None else places.get(cell, -1) for cell in cells], np.int64)
        return ColumnBins(
            known=tuple(self._bin(value, found == place) for value, place in places.items()),
            missing=self._bin("missing", found == -2),
            others=self._bin("other values", found == -1),
            categories=places,
        )

    def _bin(self, condition: str, is_in: np.ndarray) -> Bin:
        rows = int(is_in.sum())
        if not rows:
            return Bin(condition)
        bad = int((is_in & self.is_bad).sum())
        all_bad = int(self.is_bad.sum())
        of_good = (rows - bad + PRIOR_ROWS) / (len(self.is_bad) - all_bad + PRIOR_ROWS)
        of_bad = (bad + PRIOR_ROWS) / (all_bad + PRIOR_ROWS)
        return Bin(condition, rows, bad / rows, float(np.log(of_good / of_bad)))


def _monotone(values: np.ndarray, is_bad: np.ndarray, edges: list[float], direction: int) -> list[float]:
    """Return the edges that are left when neighbours out of order are joined (pool adjacent violators).

    Source: Barlow, Bartholomew, Bremner and Brunk (1972), Statistical inference under order restrictions, section 1.2.
    """
    if direction == 0:
        ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable")
        direction = 1 if ranks[is_bad].mean() >= ranks[~is_bad].mean() else -1
    places = np.searchsorted(np.array(edges), values, side="left")
    pools: list[tuple[int, int, int]] = []  # rows, bad, last place
    for place in range(len(edges) + 1):
        is_in = places == place
        pool = (int(is_in.sum()), int(is_bad[is_in].sum()), place)
        while pools and direction * (pool[1] * pools[-1][0] - pools[-1][1] * pool[0]) < 0:
            rows, bad, _ = pools.pop()
            pool = (pool[0] + rows, pool[1] + bad, place)
        pools.append(pool)
    return [edges[last] for _, _, last in pools[:-1]]


def _between(edges: Sequence[float], place: int) -> str:
    if not edges:
        return "any"
    if place == 0:
        return f"up to {edges[0]:.6g}"
    if place == len(edges):
        return f"over {edges[-1]:.6g}"
    return f"over {edges[place - 1]:.6g} to {edges[place]:.6g}"
