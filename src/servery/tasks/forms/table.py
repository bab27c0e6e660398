"""Table rows on the wire: an object a row, or the Hub's columns of values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.data.columns import Column, Kind
from servery.errors import InputError, UnsupportedMediaError
from servery.tasks.form import Bounds, Example, Form, plain_values
from servery.tasks.forms._cells import cell_schema, cell_to_json, described, read_cell
from servery.tasks.forms._inputs import as_list, check_count, check_names, pointer_to

_KINDS = frozenset({Kind.NUMBER, Kind.CATEGORY, Kind.TIME, Kind.TEXT})


class TableForm(Form):
    """One row as an object of column name to value, a list of them, or `{"table": {column: [values]}}`."""

    name = "table"
    rank = 0

    def matches(self, kinds: frozenset[Kind]) -> bool:
        """Whether all inputs are numbers, categories, times or texts."""
        return bool(kinds) and kinds <= _KINDS

    def examples(self, inputs: Any, columns: Sequence[Column], limits: Bounds) -> list[Example]:
        """Read rows; every column must be there, null where its value is missing.

        Raises:
            InputError: Unknown or missing columns, columns of different lengths, a value that does not fit.
        """
        if _is_columns(inputs):
            return _examples_of_columns(inputs["table"], columns, limits)
        return [_example(row, columns, pointer, limits) for row, pointer in as_list(inputs, limits)]

    def is_batch(self, inputs: Any, columns: Sequence[Column]) -> bool:
        """Whether `inputs` is a list of rows or columns of values."""
        return isinstance(inputs, list) or _is_columns(inputs)

    def examples_from_bytes(
        self, body: bytes, content_type: str, columns: Sequence[Column], limits: Bounds
    ) -> list[Example]:
        """Refuse: rows travel as JSON."""
        raise UnsupportedMediaError(
            f"Cannot read table rows from a body of type {content_type or 'unknown'!r}.",
            hint='send application/json, e.g. {"inputs": {"column": 1.5}}',
        )

    def examples_from_arrays(
        self, arrays: Mapping[str, np.ndarray], columns: Sequence[Column], limits: Bounds
    ) -> list[Example]:
        """Read an array of values for each column."""
        table = {c.name: plain_values(arrays[c.name], c) for c in columns}
        return _examples_of_columns(table, columns, limits)

    def to_json(self, example: Example, columns: Sequence[Column]) -> Any:
        """Return the row as an object."""
        return {c.name: cell_to_json(example[c.name], c) for c in columns}

    def json_schema(self, columns: Sequence[Column], limits: Bounds) -> dict[str, Any]:
        """Return the schema of one row."""
        return {
            "type": "object",
            "properties": {c.name: cell_schema(c, limits) for c in columns},
            "required": [c.name for c in columns],
            "additionalProperties": False,
        }


def _is_columns(inputs: Any) -> bool:
    return isinstance(inputs, dict) and inputs.keys() == {"table"} and isinstance(inputs["table"], dict)


def _example(row: Any, columns: Sequence[Column], pointer: str, limits: Bounds) -> Example:
    check_names(row, columns, pointer)
    return {c.name: read_cell(row[c.name], c, pointer_to(pointer, c.name), limits) for c in columns}


def _examples_of_columns(table: dict[str, Any], columns: Sequence[Column], limits: Bounds) -> list[Example]:
    check_names(table, columns, "/inputs/table")
    for name, values in table.items():
        if not isinstance(values, list):
            pointer = pointer_to("/inputs/table", name)
            raise InputError(
                f"Expected a list of values at {pointer}, got {described(values)}.", param=pointer
            )
    counts = {name: len(values) for name, values in table.items()}
    if len(set(counts.values())) > 1:
        shown = ", ".join(f"{name!r} {count:,}" for name, count in list(counts.items())[:20])
        raise InputError(f"The columns differ in length: {shown}.", param="/inputs/table")
    check_count(len(table[columns[0].name]), "/inputs/table", limits)
    cells = {c.name: _cells(table[c.name], c, limits) for c in columns}
    return [dict(zip(cells, row, strict=True)) for row in zip(*cells.values(), strict=True)]


def _cells(values: list[Any], column: Column, limits: Bounds) -> list[Any]:
    pointer = pointer_to("/inputs/table", column.name)
    return [read_cell(value, column, f"{pointer}/{i}", limits) for i, value in enumerate(values)]


TABLE = TableForm()
