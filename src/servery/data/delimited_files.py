"""Comma, semicolon or tab separated files, with the true line number of every row."""

from __future__ import annotations

import csv
import io
from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from servery.data.dataset import BadRow
from servery.data.raw_table import MAX_CELL_CHARACTERS, RawTable, check_names, object_array
from servery.data.text_encoding import UNDECODABLE, decode, read_bytes
from servery.errors import DataError, EmptyDataError

_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
_ONE_COLUMN = "\x1f"
_MAX_LINES_READ_AGAIN = 2_000_000


def read_delimited(path: Path) -> RawTable:
    """Read a csv or tsv file; the first line names the columns.

    Raises:
        EmptyDataError: There is no row.
        DataError: Not a text file, a column name twice, or torn beyond reading.
    """
    text, encoding = decode(read_bytes(path), path.name)
    lines = io.StringIO(text, newline="").readlines()
    delimiter = find_delimiter(lines[:200])
    rows = parsed_rows(lines, delimiter, path.name)
    _, header = next(rows, (0, []))
    if isinstance(header, str):
        raise DataError(f"The first line of {path.name} cannot be read: {header}.")
    names = check_names(header, path.name)
    cells, line_numbers, bad_rows = _sort_out(rows, len(names), UNDECODABLE.search(text) is not None)
    if not cells and not bad_rows:
        raise EmptyDataError(
            f"{path.name} has a header but no rows.", hint="every line after the first is a row"
        )
    columns = zip(*cells, strict=True) if cells else [()] * len(names)
    return RawTable(
        {
            name: object_array([c or None for c in column])
            for name, column in zip(names, columns, strict=True)
        },
        np.array(line_numbers, dtype=np.int64),
        tuple(bad_rows),
        {"encoding": encoding, "delimiter": _DELIMITERS.get(delimiter, "none, one column")},
    )


def find_delimiter(lines: list[str]) -> str:
    r"""Return the delimiter under which most rows have as many cells as the header.

    Args:
        lines: The first lines of the file, with their line ends.

    >>> find_delimiter(["a;b\n", "1,5;2\n"])
    ';'
    """
    best, best_score = _ONE_COLUMN, (0.0, 1)
    for delimiter in _DELIMITERS:
        rows = [row for row in _sample(lines, delimiter) if row]
        width = len(rows[0]) if rows else 0
        if width < 2:
            continue
        score = (sum(len(row) == width for row in rows) / len(rows), width)
        if score > best_score:
            best, best_score = delimiter, score
    return best


def _sample(lines: list[str], delimiter: str) -> list[list[str]]:
    try:
        return list(islice(csv.reader(lines, delimiter=delimiter), 50))
    except csv.Error:
        return list(islice(csv.reader(lines[:1], delimiter=delimiter), 1))


def parsed_rows(lines: Iterable[str], delimiter: str, name: str) -> Iterator[tuple[int, list[str] | str]]:
    """Yield (line of the row's start, its cells), or the reason in place of the cells where the row is torn.

    Args:
        lines: With their line ends, the header first; read only as far as the rows are.
        delimiter: From `find_delimiter`.
        name: Of the file, for the error message.

    Raises:
        DataError: So many quotation marks are never closed that most lines would be read again and again.
    """
    fresh, again = iter(lines), deque[str]()
    line, lines_read_again = 1, 0
    while True:
        taken: list[str] = []  # the lines of the row under way
        reader = csv.reader(_noted(again, fresh, taken), delimiter=delimiter, strict=True)
        try:
            for row in reader:
                if row:
                    yield line, row
                line += len(taken)
                taken.clear()
            return
        except csv.Error as error:
            yield line, _reason(str(error))
        # An open cell swallows the rows after it: report its first line and start again below it.
        lines_read_again += len(taken) - 1
        if lines_read_again > _MAX_LINES_READ_AGAIN:
            raise DataError(
                f"{name} has too many quotation marks that are never closed, the last in line {line}.",
                hint='quotation marks inside a cell are written twice: ""',
            )
        again.extendleft(reversed(taken[1:]))
        line += 1


def _noted(again: deque[str], fresh: Iterator[str], taken: list[str]) -> Iterator[str]:
    while again:
        taken.append(again.popleft())
        yield taken[-1]
    for line in fresh:
        taken.append(line)
        yield line


def _reason(error: str) -> str:
    if "field limit" in error:
        return f"a cell of more than {MAX_CELL_CHARACTERS:,} characters; is a quotation mark never closed?"
    if "end of data" in error:
        return "a quotation mark that is never closed"
    return "text after a closing quotation mark; marks inside a cell are written twice"


def _sort_out(
    rows: Iterator[tuple[int, list[str] | str]], width: int, has_undecodable: bool
) -> tuple[list[list[str]], list[int], list[BadRow]]:
    cells: list[list[str]] = []
    line_numbers: list[int] = []
    bad_rows: list[BadRow] = []
    for line, row in rows:
        if isinstance(row, str):
            bad_rows.append(BadRow(line, row))
        elif len(row) != width:
            bad_rows.append(BadRow(line, f"{len(row)} cells, expected {width}"))
        elif has_undecodable and any(UNDECODABLE.search(cell) for cell in row):
            bad_rows.append(BadRow(line, "bytes that are no text in the file's encoding"))
        else:
            cells.append(row)
            line_numbers.append(line)
    return cells, line_numbers, bad_rows
