"""JSON lines files: one object a line, its keys are the columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson

from servery.data.dataset import BadRow
from servery.data.raw_table import MAX_CELL_CHARACTERS, RawTable, check_names, object_array
from servery.data.text_encoding import UNDECODABLE, decode, read_bytes
from servery.errors import DataError, EmptyDataError


def read_json_lines(path: Path) -> RawTable:
    """Read a jsonl file; a key that a line lacks is a missing value.

    Raises:
        EmptyDataError: There is no row.
        DataError: Not a text file, or none of its lines is a JSON object.
    """
    text, encoding = decode(read_bytes(path), path.name)
    rows: list[dict[str, Any]] = []
    line_numbers: list[int] = []
    bad_rows: list[BadRow] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        row = _parse(line)
        if isinstance(row, str):
            bad_rows.append(BadRow(number, row))
        else:
            rows.append(row)
            line_numbers.append(number)
    if not rows:
        first = f" Line {bad_rows[0].line}: {bad_rows[0].reason}." if bad_rows else ""
        raise DataError(
            f"{path.name} holds no JSON object.{first}", hint='one object a line: {"text": "..."}'
        )
    names = list(dict.fromkeys(key for row in rows for key in row))
    if not names:
        raise EmptyDataError(f"{path.name} holds only empty objects.")
    return RawTable(
        {
            column: object_array([row.get(name) for row in rows])
            for column, name in zip(check_names(names, path.name), names, strict=True)
        },
        np.array(line_numbers, dtype=np.int64),
        tuple(bad_rows),
        {"encoding": encoding},
    )


def _parse(line: str) -> dict[str, Any] | str:
    """Return the row, or why there is none."""
    if UNDECODABLE.search(line):
        return "bytes that are no text in the file's encoding"
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return f"broken JSON: {error}"
    if not isinstance(row, dict):
        return f"a JSON {type(row).__name__}, expected an object"
    try:
        return {key: json_cell(value) for key, value in row.items()}
    except ValueError as error:
        return str(error)


def json_cell(value: Any) -> Any:
    """Return a JSON value as a cell: lists of strings as tuples, other nesting as JSON text.

    Raises:
        ValueError: The text is longer than a cell may be.
    """
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        value = tuple(value)
    elif isinstance(value, list | dict):
        value = orjson.dumps(value).decode()
    length = len(value) if isinstance(value, str) else sum(map(len, value)) if isinstance(value, tuple) else 0
    if length > MAX_CELL_CHARACTERS:
        raise ValueError(f"a cell of {length:,} characters; at most {MAX_CELL_CHARACTERS:,} are read")
    return None if value == "" else value
