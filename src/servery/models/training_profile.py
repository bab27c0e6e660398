"""What a model's training rows and scores looked like, column by column: small, and kept with the model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset

BINS = 10
MOST_VALUES = 64
"""Values kept of one column: quantiles of numbers, the most frequent categories."""
MOST_COLUMNS = 200
DEVIATIONS_PER_MEDIAN_DEVIATION = 1.4826
"""Of a normal distribution."""
_KINDS = (Kind.NUMBER, Kind.CATEGORY)


@dataclass(frozen=True)
class ColumnProfile:
    """One column, or the scores, of the rows a model is compared with later.

    Attributes:
        name: Of the column.
        is_number: Whether it holds numbers; categories if not.
        rows: How many were looked at.
        edges: Of a number: where its bins end, ascending; a value is in the bin after all edges that it is over.
        values: Some that occurred: of a number quantiles, ascending; of a category the most frequent first.
        shares: Of the rows in each bin, or with each of the values of a category; then all others; then missing.
        spread: Of a number: what a usual difference is (the median deviation from the median, scaled).
        usual: The median, or the most frequent value; None where all are missing.
    """

    name: str
    is_number: bool
    rows: int
    edges: tuple[float, ...]
    values: tuple[Any, ...]
    shares: tuple[float, ...]
    spread: float
    usual: Any = None

    @classmethod
    def of_numbers(cls, name: str, values: np.ndarray) -> ColumnProfile:
        """Look at numbers, float64, (rows,), NaN where missing."""
        known = np.sort(values[np.isfinite(values)])
        if not len(known):
            return cls(name, True, len(values), (), (), (0.0, 0.0, 1.0), 1.0)
        edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1], method="higher"))
        places = np.linspace(0, len(known) - 1, MOST_VALUES).round().astype(int)
        median = float(np.median(known))
        spread = DEVIATIONS_PER_MEDIAN_DEVIATION * float(np.median(np.abs(known - median)))
        spread = spread or float(known.std()) or 1.0
        kept = tuple(np.unique(known[places]).tolist())
        found = cls(name, True, len(values), tuple(edges.tolist()), kept, (), spread, median)
        return found.with_shares_of(values)

    @classmethod
    def of_categories(cls, name: str, cells: Sequence[Any]) -> ColumnProfile:
        """Look at categories, None where missing."""
        counted = Counter(str(cell) for cell in cells if cell is not None)
        values = tuple(value for value, _ in counted.most_common(MOST_VALUES))
        usual = values[0] if values else None
        return cls(name, False, len(cells), (), values, (), 1.0, usual).with_shares_of(cells)

    def with_shares_of(self, cells: Sequence[Any] | np.ndarray) -> ColumnProfile:
        """Return the profile with the shares of these cells, of which there is one at least."""
        return replace(self, shares=tuple((self.counts(cells) / len(cells)).tolist()))

    def counts(self, cells: Sequence[Any] | np.ndarray) -> np.ndarray:
        """Return how many of these cells are in each bin, then others, then missing, int64, (bins + 2,)."""
        if not self.is_number:
            places = {value: place for place, value in enumerate(self.values)}
            others = len(self.values)
            found = [others + 1 if cell is None else places.get(str(cell), others) for cell in cells]
            return np.bincount(np.array(found, np.int64), minlength=others + 2)
        values = np.array([np.nan if cell is None else cell for cell in cells], np.float64)
        bins = len(self.edges) + 1
        numbers = np.searchsorted(np.array(self.edges), values, side="left")
        # No number is of no bin: the place of other values stays empty.
        return np.bincount(np.where(np.isnan(values), bins + 1, numbers), minlength=bins + 2)


@dataclass(frozen=True)
class TrainingProfile:
    """The number and category columns that a model learned from, and its scores on rows held out.

    Attributes:
        columns: In the order of the inputs.
        scores: Of validation rows: those of rows that it learned from would flatter it. None where nobody looked.
    """

    columns: tuple[ColumnProfile, ...]
    scores: ColumnProfile | None = None

    @classmethod
    def fit(cls, columns: Sequence[Column], dataset: Dataset) -> TrainingProfile | None:
        """Look at the training rows; None where no column has numbers or categories."""
        wanted = [column for column in columns if column.kind in _KINDS][:MOST_COLUMNS]
        if not wanted or not len(dataset):
            return None
        return cls(tuple(_profile(column, dataset[column.name]) for column in wanted))

    def column(self, name: str) -> ColumnProfile | None:
        """Return a column's profile, None of one that was not looked at."""
        return next((column for column in self.columns if column.name == name), None)

    def to_dict(self) -> dict[str, Any]:
        """Return the profile as plain JSON types."""
        return asdict(self)

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> TrainingProfile:
        """Rebuild a profile from `to_dict`."""
        scores = value["scores"]
        return cls(tuple(map(_read, value["columns"])), None if scores is None else _read(scores))


def _profile(column: Column, cells: np.ndarray) -> ColumnProfile:
    if column.kind is Kind.NUMBER:
        return ColumnProfile.of_numbers(column.name, np.asarray(cells, np.float64))
    return ColumnProfile.of_categories(column.name, cells.tolist())


def _read(value: Mapping[str, Any]) -> ColumnProfile:
    fields: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in value.items()}
    return ColumnProfile(**fields)
