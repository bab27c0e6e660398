"""Series on the wire: an object with a list of readings for each column, and when they were taken."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import orjson

from servery.data.columns import Column, Kind, Role
from servery.data.series import MOST_READINGS, pack, unpack
from servery.errors import InputError, TooLongError, UnsupportedMediaError
from servery.tasks.form import Bounds, Example, Form, plain_values
from servery.tasks.forms._cells import LARGEST_NUMBER, cell_schema, cell_to_json, described, read_cell
from servery.tasks.forms._inputs import as_list, check_names, pointer_to
from servery.tasks.part import Part

_KINDS = frozenset({Kind.SERIES, Kind.NUMBER, Kind.CATEGORY, Kind.TIME})
STRETCHES = 6
"""Of each series, that an explanation speaks of: one asks the model once for each."""
MOST_GAP = 100
"""Times as many empty steps as readings: more means that the times are at no equal distances."""


class SeriesForm(Form):
    """`{"now": time of the last reading, "pm25": [12, null, 15], ...}`; a list of times, one a reading, in its place.

    With a list of times readings are laid on equal distances, and those that are missing between are noticed.
    """

    name = "series"
    rank = 1

    def matches(self, kinds: frozenset[Kind]) -> bool:
        """Whether an input is a series, and none is more than a value of a table."""
        return Kind.SERIES in kinds and kinds <= _KINDS

    def examples(self, inputs: Any, columns: Sequence[Column], limits: Bounds) -> list[Example]:
        """Read one object or a list of them; every column must be there, null where it is not known.

        Raises:
            InputError: Unknown or missing columns, no readings, times that go backwards or stand there twice.
            TooLongError: A series is over the bounds.
        """
        return [_example(value, columns, pointer, limits) for value, pointer in as_list(inputs, limits)]

    def is_batch(self, inputs: Any, columns: Sequence[Column]) -> bool:
        """Whether `inputs` is a list."""
        return isinstance(inputs, list)

    def examples_from_bytes(
        self, body: bytes, content_type: str, columns: Sequence[Column], limits: Bounds
    ) -> list[Example]:
        """Refuse: series travel as JSON."""
        raise UnsupportedMediaError(
            f"Cannot read series from a body of type {content_type or 'unknown'!r}.",
            hint='send application/json, e.g. {"inputs": {"column": [1.5, 2.0]}}',
        )

    def examples_from_arrays(
        self, arrays: Mapping[str, np.ndarray], columns: Sequence[Column], limits: Bounds
    ) -> list[Example]:
        """Read an array of values for each column; a series, and a list of times, is the text of its JSON."""
        values = {c.name: _from_texts(plain_values(arrays[c.name], c), c) for c in columns}
        rows = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
        return self.examples(rows, columns, limits)

    def parts(self, example: Example, columns: Sequence[Column]) -> list[Part]:
        """Return stretches of each series, and the other columns that have a value."""
        series = [c for c in columns if c.kind is Kind.SERIES and example[c.name]]
        stretches = [
            Part(c.name, f"{start - length + 1} to {end - length}", start, end)
            for c in series
            for length in (len(unpack(example[c.name])),)
            for start, end in pairwise(np.unique(np.linspace(0, length, STRETCHES + 1).astype(int)).tolist())
        ]
        return stretches + super().parts(example, [c for c in columns if c.kind is not Kind.SERIES])

    def without(self, example: Example, part: Part, columns: Sequence[Column]) -> Example:
        """Return the example with these readings missing, or without that column's value."""
        if part.start is None or part.end is None:
            return super().without(example, part, columns)
        readings = unpack(example[part.column]).copy()
        readings[part.start : part.end] = np.nan
        return {**example, part.column: pack(readings)}

    def to_json(self, example: Example, columns: Sequence[Column]) -> Any:
        """Return the object."""
        return {c.name: _to_json(example[c.name], c) for c in columns}

    def json_schema(self, columns: Sequence[Column], limits: Bounds) -> dict[str, Any]:
        """Return the schema of one object."""
        return {
            "type": "object",
            "properties": {c.name: _schema(c, limits) for c in columns},
            "required": [c.name for c in columns],
            "additionalProperties": False,
        }


def _from_texts(values: list[Any], column: Column) -> list[Any]:
    """Return values with the texts that are JSON lists as these lists."""
    return [_from_text(value) if column.kind in (Kind.SERIES, Kind.TIME) else value for value in values]


def _from_text(value: Any) -> Any:
    if not isinstance(value, str) or not value.lstrip().startswith("["):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


def _example(value: Any, columns: Sequence[Column], pointer: str, limits: Bounds) -> Example:
    check_names(value, columns, pointer)
    series = {
        c.name: _readings(value[c.name], pointer_to(pointer, c.name), limits)
        for c in columns
        if c.kind is Kind.SERIES
    }
    times = [c.name for c in columns if c.kind is Kind.TIME and isinstance(value[c.name], list)]
    stamps = {name: _stamps(value[name], pointer_to(pointer, name), limits) for name in times}
    for name, found in stamps.items():
        series = _on_a_grid(series, found, pointer_to(pointer, name))
    first = next(iter(series))
    if not np.isfinite(series[first]).any():
        raise InputError(
            f"There is no reading of {first!r}: nothing can be forecast from nothing.",
            hint="send its last readings, the latest one last, null where one is missing",
            param=pointer_to(pointer, first),
        )
    example: Example = {}
    for c in columns:
        if c.kind is Kind.SERIES:
            example[c.name] = pack(series[c.name])
        elif c.name in stamps:
            example[c.name] = stamps[c.name][-1]
        else:
            example[c.name] = read_cell(value[c.name], c, pointer_to(pointer, c.name), limits)
    return example


def _readings(value: Any, pointer: str, limits: Bounds) -> np.ndarray:
    """Return a list of readings, float64; of one that is not known, an empty one."""
    if value is None:
        return np.zeros(0)
    if not isinstance(value, list):
        raise InputError(
            f"Expected a list of numbers at {pointer}, got {described(value)}.",
            hint="send the readings in the order of time, the latest one last",
            param=pointer,
        )
    if len(value) > min(MOST_READINGS, limits.max_tensor_values):
        raise TooLongError(f"The series at {pointer} has {len(value):,} readings.", param=pointer)
    readings = np.full(len(value), np.nan)
    for place, reading in enumerate(value):
        if reading is None:
            continue
        is_number = isinstance(reading, int | float) and not isinstance(reading, bool)
        if not is_number or not math.isfinite(reading) or abs(reading) > LARGEST_NUMBER:
            raise InputError(
                f"Expected a finite number at {pointer}/{place}, got {described(reading)}.",
                hint="send null where a reading is missing",
                param=f"{pointer}/{place}",
            )
        readings[place] = float(reading)
    return readings


def _stamps(values: list[Any], pointer: str, limits: Bounds) -> np.ndarray:
    """Return times that go forwards, datetime64[ns]."""
    if not values or len(values) > MOST_READINGS:
        raise InputError(f"The list of times at {pointer} is empty or too long.", param=pointer)
    column = Column("time", Kind.TIME, Role.INPUT)
    times = [read_cell(value, column, f"{pointer}/{place}", limits) for place, value in enumerate(values)]
    for place, time in enumerate(times):
        if np.isnat(time):
            raise InputError(f"Expected a time at {pointer}/{place}, got null.", param=f"{pointer}/{place}")
        if place and time <= times[place - 1]:
            fault = "stands there twice" if time == times[place - 1] else "goes backwards"
            raise InputError(
                f"The time at {pointer}/{place} {fault}: {values[place]!r} after {values[place - 1]!r}.",
                hint="send each time once, in its order",
                param=f"{pointer}/{place}",
            )
    return np.array(times, "datetime64[ns]")


def _on_a_grid(series: Mapping[str, np.ndarray], times: np.ndarray, pointer: str) -> dict[str, np.ndarray]:
    """Return the series at equal distances, NaN at steps without a reading."""
    for name, readings in series.items():
        if len(readings) not in (0, len(times)):
            raise InputError(
                f"{name!r} has {len(readings):,} readings and {pointer} {len(times):,} times.", param=pointer
            )
    if len(times) < 2:
        return dict(series)
    steps, counts = np.unique(np.diff(times), return_counts=True)
    step = steps[counts.argmax()]
    places, rest = np.divmod(times - times[0], step)
    places = places.astype(np.int64)
    if (rest != np.timedelta64(0)).any() or places[-1] > MOST_GAP * len(times):
        raise InputError(
            f"The times at {pointer} are at no equal distances of {step.astype('timedelta64[s]')}.",
            hint="send one reading a step, and leave out the steps that have none",
            param=pointer,
        )
    laid = {}
    for name, readings in series.items():
        laid[name] = np.full(int(places[-1]) + 1, np.nan) if len(readings) else readings
        if len(readings):
            laid[name][places] = readings
    return laid


def _to_json(value: Any, column: Column) -> Any:
    if column.kind is not Kind.SERIES:
        return cell_to_json(value, column)
    if value is None:
        return None
    # float32 in as few digits as tell it.
    return [None if math.isnan(reading) else float(str(reading)) for reading in unpack(value)]


def _schema(column: Column, limits: Bounds) -> dict[str, Any]:
    if column.kind is Kind.SERIES:
        return {
            "type": ["array", "null"],
            "maxItems": min(MOST_READINGS, limits.max_tensor_values),
            "items": {"type": ["number", "null"], "minimum": -LARGEST_NUMBER, "maximum": LARGEST_NUMBER},
            "description": "Readings at equal distances, the latest one last, null where one is missing.",
        }
    one = cell_schema(column, limits)
    if column.kind is Kind.TIME:
        return {
            **one,
            "type": ["string", "array", "null"],
            "minItems": 1,
            "maxItems": MOST_READINGS,
            "items": {**one, "type": "string"},
            "description": "The time of the last reading in ISO 8601, or a list of those of all readings.",
        }
    return one


SERIES = SeriesForm()
