"""Reads the rows of a file of any size one after another, holding only a few of them in memory."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any, BinaryIO, cast

import orjson

from servery.data.cells import has_decimal_comma
from servery.data.delimited_files import find_delimiter, parsed_rows
from servery.data.raw_table import MAX_TABLE_BYTES, check_names
from servery.data.text_encoding import UNDECODABLE, decode
from servery.errors import DataError, DataNotFoundError, EmptyDataError

FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
}
"""Ending of a file to the format of its rows."""
MAX_LINE_CHARACTERS = 32 * 2**20
"""Longest line of a text file; what is longer is no row."""

_HEAD_BYTES = 2**20
_HEAD_ROWS = 200
_BATCH_ROWS = 256
_BUFFER_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class FileRow:
    """One row of a file.

    Attributes:
        line: Where it stands: the line of its start in a text file, its position in a parquet file; from 1.
        value: What stands there: a dict of column name to cell, or another JSON value where a line holds one.
        fault: Why it could not be read; empty where it could.
    """

    line: int
    value: Any = None
    fault: str = ""


@dataclass(frozen=True)
class RowFile:
    """An open file of rows; `rows` can be gone through once.

    Attributes:
        rows: Every row in its order, also those that could not be read.
        columns: The names of its columns; None where each line says its own.
        count: How many rows there are; None where only reading tells.
        decimal_commas: Columns of texts whose numbers are written like "3,5".
    """

    rows: Iterator[FileRow]
    columns: tuple[str, ...] | None = None
    count: int | None = None
    decimal_commas: frozenset[str] = field(default_factory=frozenset)


def format_of(path: Path) -> str:
    """Return the format of a file by its ending: "csv", "jsonl" or "parquet".

    Raises:
        DataError: It has no such ending.

    >>> format_of(Path("reviews.tsv")), format_of(Path("reviews.jsonl.gz"))
    ('csv', 'jsonl')
    """
    endings = [ending.lower() for ending in path.suffixes]
    if endings[-1:] == [".gz"] and endings[-2:-1] != [".parquet"]:
        endings.pop()
    found = FORMATS.get(endings[-1]) if endings else None
    if found is None:
        raise DataError(
            f"{path.name} is of no format that can be read row by row.",
            hint=f"use one of {', '.join(FORMATS)} (the text ones also as .gz)",
            param="data",
        )
    return found


def open_rows(path: Path, file_format: str, wanted: Sequence[str] = (), skip: int = 0) -> RowFile:
    """Open a file of rows.

    Args:
        path: The file; a text file may be packed with gzip.
        file_format: "csv" (with any delimiter), "jsonl" or "parquet".
        wanted: Columns to read of a parquet file, as far as it has them; empty reads all.
        skip: How many rows of the start, unreadable ones too, are left out.

    Raises:
        DataError: It is missing, empty, or of another format.
    """
    if not path.exists():
        raise DataNotFoundError(f"There is no file {path}.", param="data")
    if file_format == "parquet":
        return _open_parquet(path, wanted, skip)
    file = _open_delimited(path) if file_format == "csv" else RowFile(_json_rows(path))
    return RowFile(islice(file.rows, skip, None), file.columns, decimal_commas=file.decimal_commas)


def _open_delimited(path: Path) -> RowFile:
    lines = _lines(path)
    first_lines = list(islice(lines, _HEAD_ROWS))
    delimiter = find_delimiter(first_lines)
    parsed = parsed_rows(chain(first_lines, lines), delimiter, path.name)
    _, header = next(parsed, (0, []))
    if isinstance(header, str):
        raise DataError(f"The first line of {path.name} cannot be read: {header}.")
    if not header:
        raise EmptyDataError(f"{path.name} is empty.", hint="the first line names the columns")
    names = check_names(header, path.name)
    rows = (_delimited_row(line, cells, names) for line, cells in parsed)
    head = list(islice(rows, _HEAD_ROWS))
    with_comma = {
        name for name in names if has_decimal_comma([r.value.get(name) for r in head if not r.fault])
    }
    return RowFile(chain(head, rows), names, decimal_commas=frozenset(with_comma))


def _delimited_row(line: int, cells: list[str] | str, names: Sequence[str]) -> FileRow:
    if isinstance(cells, str):
        return FileRow(line, fault=cells)
    if len(cells) != len(names):
        return FileRow(line, fault=f"{len(cells)} cells, expected {len(names)}")
    if any(UNDECODABLE.search(cell) for cell in cells):
        return FileRow(line, fault="bytes that are no text in the file's encoding")
    return FileRow(line, {name: cell or None for name, cell in zip(names, cells, strict=True)})


def _json_rows(path: Path) -> Iterator[FileRow]:
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        if UNDECODABLE.search(line):
            yield FileRow(number, fault="bytes that are no text in the file's encoding")
            continue
        try:
            yield FileRow(number, orjson.loads(line))
        except orjson.JSONDecodeError as error:
            yield FileRow(number, fault=f"broken JSON: {error}")


def _lines(path: Path) -> Iterator[str]:
    """Yield the lines of a text file in whatever encoding it has; a line over the bound comes in pieces."""
    try:
        with path.open("rb") as plain:
            is_packed = plain.read(2) == b"\x1f\x8b"
        with _unpacked(path, is_packed) as stream:
            encoding = _encoding(stream.read(_HEAD_BYTES), path.name)
        # Of UTF-16 a torn character shifts nothing: it becomes U+FFFD.
        errors = "replace" if encoding.startswith("utf-16") else "surrogateescape"
        with (
            _unpacked(path, is_packed) as stream,
            io.TextIOWrapper(stream, encoding=encoding, errors=errors, newline="") as text,
        ):
            while line := text.readline(MAX_LINE_CHARACTERS):
                yield line
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path.name} is a torn gzip file: {error}.", hint="copy or pack it again") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error


def _unpacked(path: Path, is_packed: bool) -> BinaryIO:
    return cast(BinaryIO, gzip.open(path, "rb")) if is_packed else path.open("rb")


def _encoding(head: bytes, name: str) -> str:
    if not head.strip():
        raise EmptyDataError(f"{name} is empty.", hint="every line of it should hold a row")
    if len(head) == _HEAD_BYTES:
        # Up to its last line end, so that no character is cut in two; in UTF-16 that is an even number of bytes.
        end = head.rfind(b"\n") + 1 or len(head)
        head = head[: end // 2 * 2 if b"\x00" in head else end]
    return decode(head, name)[1]


def _open_parquet(path: Path, wanted: Sequence[str], skip: int) -> RowFile:
    # Imported here because it takes 0.1 s that a list of the fields need not wait for.
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path, pre_buffer=False, buffer_size=_BUFFER_BYTES)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path.name} is no readable parquet file: {error}.") from error
    names = check_names(file.schema_arrow.names, path.name)
    read = [name for name in file.schema_arrow.names if not wanted or name in wanted]
    return RowFile(_parquet_rows(file, path.name, read, skip), names, file.metadata.num_rows)


def _parquet_rows(file: Any, name: str, columns: list[str], skip: int) -> Iterator[FileRow]:
    import pyarrow as pa

    line = 0
    try:
        with file:
            for group in range(file.num_row_groups):
                about = file.metadata.row_group(group)
                if line + about.num_rows <= skip:
                    line += about.num_rows
                    continue
                if about.total_byte_size > MAX_TABLE_BYTES:
                    raise DataError(
                        f"A row group of {name} unpacks to more than {MAX_TABLE_BYTES / 2**30:g} GiB."
                    )
                for batch in file.iter_batches(_BATCH_ROWS, row_groups=[group], columns=columns):
                    for row in _plain_rows(batch):
                        line += 1
                        if line > skip:
                            yield FileRow(line, row)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{name} is torn behind row {line:,}: {error}.") from error


def _plain_rows(batch: Any) -> Iterator[dict[str, Any]]:
    names = [name.strip() for name in batch.schema.names]
    columns = [_plain_cells(column) for column in batch.columns]
    if not columns:
        return ({} for _ in range(batch.num_rows))
    return (dict(zip(names, cells, strict=True)) for cells in zip(*columns, strict=True))


def _plain_cells(column: Any) -> list[Any]:
    """Return one column's cells as JSON would have them, but for bytes; a picture may be a struct with `bytes`."""
    import pyarrow as pa

    kind, types = column.type, pa.types
    if types.is_timestamp(kind):
        # Nanoseconds are more than Python's own moments hold.
        column = column.cast(pa.timestamp("us", kind.tz), safe=False)
    cells: list[Any] = column.to_pylist()
    if types.is_struct(kind) and "bytes" in {field.name for field in kind}:
        return [cell and cell["bytes"] for cell in cells]
    if types.is_timestamp(kind) or types.is_date(kind):
        return [cell and cell.isoformat() for cell in cells]
    if types.is_floating(kind):
        return [None if cell != cell else cell for cell in cells]
    if types.is_decimal(kind):
        return [None if cell is None else float(cell) for cell in cells]
    return cells
