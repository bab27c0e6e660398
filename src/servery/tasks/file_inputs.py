"""From the rows of a file to examples: each row is read as a request would be, so each has its own error."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import orjson

from servery.data.cells import is_missing_word, name_of, number_of, time_of
from servery.data.columns import Column, Kind
from servery.data.row_files import FileRow, RowFile
from servery.errors import BadRowsError, ColumnNotFoundError, InputError, ServeryError
from servery.tasks.form import Bounds, Example, Form

DEFAULT_ID = "id"
"""The column that tells rows apart where nobody names another."""


@dataclass(frozen=True, slots=True)
class InputRow:
    """One row, as a model takes it.

    Attributes:
        line: Where it stands in its file, from 1.
        id: What tells it apart besides its line, where it has that.
        example: What the model is asked, or why it cannot be.
    """

    line: int
    id: str | int | float | None
    example: Example | ServeryError


class FileInputs:
    """Reads the rows of one file for one model.

    A row that is a dict gives the model its columns and may have more; a missing one of several is a missing value.
    A line of JSON that is no object is the input itself.

    Args:
        form: How the model is asked.
        columns: What it reads.
        limits: Bounds of one input.
        file: Where the rows come from.
        id_column: The column that tells rows apart; empty takes "id" where there is one.

    Raises:
        ColumnNotFoundError: The file lacks a column of the model, or the one of the ids.
    """

    def __init__(
        self, form: Form, columns: Sequence[Column], limits: Bounds, file: RowFile, id_column: str = ""
    ) -> None:
        self._rows = file.rows
        self._form = form
        self._columns = columns
        self._limits = limits
        self._decimal_commas = file.decimal_commas
        self._json_type = form.json_schema(columns, limits).get("type")
        self._id_column = id_column or DEFAULT_ID
        self._check(file.columns, id_column)

    def take(self, count: int) -> list[InputRow]:
        """Return the next rows, `count` of them or as many as there are.

        Raises:
            DataError: The file is torn here, so that no row behind it can be told.
        """
        rows = list(islice(self._rows, count))
        examples = self._examples(rows)
        return [
            InputRow(row.line, self._id_of(row), example) for row, example in zip(rows, examples, strict=True)
        ]

    def _id_of(self, row: FileRow) -> str | int | float | None:
        value = row.value.get(self._id_column) if isinstance(row.value, dict) else None
        return value if value is None or isinstance(value, (str, int, float)) else str(value)

    def _examples(self, rows: Sequence[FileRow]) -> list[Example | ServeryError]:
        inputs: list[Any] = [_prepared(self._input_of, row) for row in rows]
        good = [value for value in inputs if not isinstance(value, ServeryError)]
        if (
            len(good) > 1
            and len(good) <= self._limits.max_inputs
            and not any(isinstance(v, bytes) for v in good)
        ):
            try:
                found = iter(self._form.examples(good, self._columns, self._limits))
                return [v if isinstance(v, ServeryError) else next(found) for v in inputs]
            except (ServeryError, StopIteration):
                pass  # one of them does not fit: which one, each row's own reading tells
        return [value if isinstance(value, ServeryError) else self._example(value) for value in inputs]

    def _check(self, names: tuple[str, ...] | None, id_column: str) -> None:
        if names is None:
            return
        wanted = [*(column.name for column in self._columns), *([id_column] if id_column else [])]
        lacking = [name for name in wanted if name not in names]
        if lacking:
            raise ColumnNotFoundError(
                f"The file lacks {', '.join(lacking[:20])}; it has {', '.join(names[:20])}.",
                hint=f"name its columns as the model does: {', '.join(c.name for c in self._columns[:20])}",
                param="input",
            )

    def _input_of(self, row: FileRow) -> Any:
        if row.fault:
            raise BadRowsError(f"The row cannot be read: {row.fault}.")
        if not isinstance(row.value, dict):
            return row.value
        names = [column.name for column in self._columns]
        if not any(name in row.value for name in names):
            if self._json_type == "string":
                raise ColumnNotFoundError(f"The row lacks {', '.join(names)}; it has {_shown(row.value)}.")
            return row.value  # an input that is an object of another kind, or the form says what it misses
        cells = {column.name: self._cell(row.value, column) for column in self._columns}
        return cells if self._json_type == "object" else cells[names[0]]

    def _cell(self, row: Mapping[str, Any], column: Column) -> Any:
        """Return a cell as a request would bring it: what people write in files is wider than that."""
        cell = row.get(column.name)
        match column.kind:
            case Kind.NUMBER | Kind.TIME if is_missing_word(cell):
                return None
            case Kind.NUMBER if isinstance(cell, str):
                number = number_of(cell, column.name in self._decimal_commas)
                return cell if np.isnan(number) else number
            case Kind.TIME if isinstance(cell, str):
                time = time_of(cell)
                return cell if np.isnat(time) else str(time.astype("datetime64[us]"))
            case Kind.TEXT:
                return cell if isinstance(cell, str) else name_of(cell)
            case Kind.TENSOR if isinstance(cell, str):
                return _json_or_text(cell)
            case _ if isinstance(cell, bytes) and self._json_type == "object":
                return base64.b64encode(cell).decode("ascii")
        return cell

    def _example(self, value: Any) -> Example | ServeryError:
        try:
            if isinstance(value, bytes):
                found = self._form.examples_from_bytes(value, "", self._columns, self._limits)
            else:
                several = [value]
                is_batch = self._form.is_batch(several, self._columns)
                found = self._form.examples(several if is_batch else value, self._columns, self._limits)
        except ServeryError as error:
            return error
        if len(found) != 1:
            return InputError(f"Expected one input a row, got {len(found)}.")
        return found[0]


def _shown(names: Iterable[Any]) -> str:
    return ", ".join(str(name)[:60] for name in islice(names, 20)) or "nothing"


def _prepared(read: Callable[[FileRow], Any], row: FileRow) -> Any:
    try:
        return read(row)
    except ServeryError as error:
        return error


def _json_or_text(cell: str) -> Any:
    try:
        return orjson.loads(cell)
    except orjson.JSONDecodeError:
        return cell
