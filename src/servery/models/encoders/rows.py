"""Table rows as arrays: for linear models, for networks and for trees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.data.columns import Column, Kind
from servery.errors import ArtifactError, InputError
from servery.models.encoder import Batch, Encoder
from servery.models.encoders._scales import Scales

LAYOUTS = ("one-hot", "indices", "plain")
MAX_CATEGORIES = 255
"""Known values of one column; the rarer ones are treated like values never seen."""
FEWEST_LEVELS, MOST_LEVELS = 3, 20
"""A number column of so many distinct values is read as a category too: months late, stars, floors."""
SECONDS_PER_DAY = 86_400


class Rows(Encoder):
    """Numbers, times (as days) and categories of a table.

    Layouts:
        "one-hot": `x`, float32: scaled numbers, a 1 where a number is missing, a 1 for the category.
        "indices": `numbers`, float32: the same without categories; `categories`, int64, 0 for unseen or missing.
        "plain": `x`, float32: numbers as they are with NaN where missing, then the categories' numbers.

    Args:
        layout: One of the three.
        numbers: Names of the number and time columns.
        times: Which of them are times.
        categories: Category column to its known values; the first has number 1.
        scales: How the numbers are scaled.
        levels: Number column with few distinct values to these, ascending; read as a category too.
    """

    name = "rows"

    def __init__(
        self,
        layout: str,
        numbers: Sequence[str],
        times: Sequence[str],
        categories: Mapping[str, Sequence[str]],
        scales: Scales,
        levels: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        self.layout = layout
        self.numbers = tuple(numbers)
        self.times = frozenset(times)
        self.categories = {column: tuple(values) for column, values in categories.items()}
        self.scales = scales
        self.levels = {column: np.array(values, np.float64) for column, values in (levels or {}).items()}
        self._index = {
            column: {value: number for number, value in enumerate(values, start=1)}
            for column, values in self.categories.items()
        }

    @property
    def category_counts(self) -> list[int]:
        """Of each category column, and each number column with few values: those and one for unseen or missing."""
        known = [len(values) for values in self.categories.values()]
        return [count + 1 for count in (*known, *map(len, self.levels.values()))]

    @classmethod
    def fit(
        cls,
        examples: Sequence[Mapping[str, Any]],
        columns: Sequence[Column],
        *,
        layout: str,
        transform: str = "standard",
    ) -> Rows:
        """Learn scales and categories from the training rows.

        Args:
            examples: The training rows.
            columns: The inputs; those that are no number, time or category are left out.
            layout: "one-hot", "indices" or "plain".
            transform: "standard", "quantile" or "piecewise", of the numbers.
        """
        times = [c.name for c in columns if c.kind is Kind.TIME]
        numbers = [c.name for c in columns if c.kind in {Kind.NUMBER, Kind.TIME}]
        categories = {c.name: _most_frequent(examples, c.name) for c in columns if c.kind is Kind.CATEGORY}
        values = _number_columns(examples, numbers, frozenset(times))
        # Trees cut numbers wherever they like; they need no second reading.
        levels = {} if layout == "plain" else _levels(values, numbers)
        return cls(layout, numbers, times, categories, Scales.fit(values, transform), levels)

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return the arrays of the layout.

        Raises:
            InputError: A value is not what its column holds.
        """
        raw = _number_columns(examples, self.numbers, self.times)  # (rows, number columns)
        codes = self._codes(examples, raw)  # (rows, category columns and columns with levels)
        if self.layout == "plain":
            return {"x": np.concatenate([raw, codes], axis=1).astype(np.float32)}
        scaled = self.scales.apply(raw)
        if self.layout == "indices":
            return {"numbers": scaled, "categories": codes}
        return {"x": np.concatenate([scaled, self._marks(codes)], axis=1)}

    def _codes(self, examples: Sequence[Mapping[str, Any]], raw: np.ndarray) -> np.ndarray:
        codes = np.zeros((len(examples), len(self._index) + len(self.levels)), np.int64)
        for place, (column, levels) in enumerate(self.levels.items(), start=len(self._index)):
            values = raw[:, self.numbers.index(column)]
            nearest = np.searchsorted(levels, values).clip(max=len(levels) - 1)
            codes[:, place] = np.where(levels[nearest] == values, nearest + 1, 0)
        for place, (column, index) in enumerate(self._index.items()):
            for row, example in enumerate(examples):
                value = example.get(column)
                if value is not None and not isinstance(value, str):
                    raise InputError(f"{column!r} is {value!r}; expected a text.", param=f"/{column}")
                codes[row, place] = index.get(value, 0) if value is not None else 0
        return codes

    def _marks(self, codes: np.ndarray) -> np.ndarray:
        # One column a known value; number 0, unseen or missing, has none.
        widths = np.array(self.category_counts, np.int64) - 1
        starts = np.cumsum(widths) - widths
        marks = np.zeros((len(codes), int(widths.sum())), np.float32)
        rows, places = np.nonzero(codes)
        marks[rows, starts[places] + codes[rows, places] - 1] = 1.0
        return marks

    def feature_columns(self) -> list[str]:
        """Return the column of each feature of `x`; empty for the layout "indices", which has none."""
        coded = [*self.categories, *self.levels]
        if self.layout == "indices":
            return []
        if self.layout == "plain":
            return [*self.numbers, *coded]
        marks = [
            column
            for column, count in zip(coded, self.category_counts, strict=True)
            for _ in range(count - 1)
        ]
        return [*self.scales.named(self.numbers), *marks]

    def state(self) -> dict[str, Any]:
        """Return columns, scales and categories, as plain JSON types."""
        return {
            "layout": self.layout,
            "numbers": list(self.numbers),
            "times": sorted(self.times),
            "categories": {column: list(values) for column, values in self.categories.items()},
            "scales": self.scales.state(),
            "levels": {column: values.tolist() for column, values in self.levels.items()},
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Rows:
        """Rebuild the encoder.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        try:
            numbers, times = ([str(column) for column in state[key]] for key in ("numbers", "times"))
            categories = {str(column): list(map(str, v)) for column, v in state["categories"].items()}
            if state["layout"] not in LAYOUTS:
                raise ValueError(f"layout {state['layout']!r}")
            scales = Scales.restore(state["scales"], len(numbers))
            levels = {str(column): list(map(float, v)) for column, v in state["levels"].items()}
            if not levels.keys() <= set(numbers):
                raise ValueError("levels of a column that is no number")
            return cls(state["layout"], numbers, times, categories, scales, levels)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(f"The state of the encoder 'rows' is torn: {error!r}.") from error


def _levels(values: np.ndarray, columns: Sequence[str]) -> dict[str, list[float]]:
    distinct = {c: np.unique(v[~np.isnan(v)]) for c, v in zip(columns, values.T, strict=True)}
    return {c: v.tolist() for c, v in distinct.items() if FEWEST_LEVELS <= len(v) <= MOST_LEVELS}


def _number_columns(
    examples: Sequence[Mapping[str, Any]], columns: Sequence[str], times: frozenset[str]
) -> np.ndarray:
    values = np.empty((len(examples), len(columns)), np.float64)
    for place, column in enumerate(columns):
        read = _days if column in times else _number
        for row, example in enumerate(examples):
            values[row, place] = read(example.get(column), column)
    # An infinity is no measurement; it would swamp every other column.
    values[np.isinf(values)] = np.nan
    return values


def _number(value: Any, column: str) -> float:
    if value is None:
        return np.nan
    if isinstance(value, (int, float, np.number)):
        return float(value)
    raise InputError(f"{column!r} is {value!r}; expected a number.", param=f"/{column}")


def _days(value: Any, column: str) -> float:
    if value is None:
        return np.nan
    try:
        moment = np.datetime64(value, "s")
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{column!r} is {value!r}; expected a time such as 2026-11-23T14:30:00.", param=f"/{column}"
        ) from error
    return np.nan if np.isnat(moment) else float(moment.astype(np.int64)) / SECONDS_PER_DAY


def _most_frequent(examples: Sequence[Mapping[str, Any]], column: str) -> list[str]:
    values = [value for example in examples if (value := example.get(column)) is not None]
    known, counts = np.unique(np.array(values, dtype=str), return_counts=True)
    frequent = np.argsort(-counts, kind="stable")[:MAX_CATEGORIES]
    return sorted(str(known[place]) for place in frequent)
