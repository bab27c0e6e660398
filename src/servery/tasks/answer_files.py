"""Answers to the rows of a file, as lines of JSON, csv or parquet; each keeps the line and the id of its row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
import orjson

from servery.errors import ServeryError, UnknownNameError
from servery.tasks.task import Answer

CONTENT_TYPES = {
    "jsonl": "application/x-ndjson",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
}
"""Format of the answers to its content type."""

_GROUP_ROWS = 8192
_PLAIN: Mapping[Any, str] = {str: "string", float: "float64", int: "int64", bool: "bool_"}

Record = dict[str, Any]
"""`line`, `id` where the row has one, and either `answer` or `error` with `code` and `message`."""


def record(
    line: int, row_id: str | int | float | None, answer: Answer | Mapping[str, Any] | ServeryError
) -> Record:
    """Return what is told of one row.

    >>> record(2, "a7", ServeryError("too long"))
    {'line': 2, 'id': 'a7', 'error': {'code': 'internal', 'message': 'too long'}}
    """
    told: Record = {"line": line} if row_id is None else {"line": line, "id": row_id}
    if isinstance(answer, ServeryError):
        told["error"] = {"code": answer.code, "message": answer.message}
    else:
        told["answer"] = answer
    return told


def encoded(records: Iterable[Record]) -> bytes:
    """Return records as lines of JSON."""
    return msgspec.json.Encoder().encode_lines(list(records))


def read_lines(lines: Iterable[bytes]) -> Iterator[Record]:
    """Read records back from their lines."""
    return (orjson.loads(line) for line in lines)


class AnswerTable:
    """Answers of one task as a table: `line`, `id`, a column a member of the answer, `error_code`, `error_message`.

    Args:
        answer: The task's answer.
    """

    def __init__(self, answer: type[Answer]) -> None:
        hints = get_type_hints(answer)
        self._types = {member: hints[member] for member in answer.__struct_fields__}

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""
        return ["line", "id", *self._types, "error_code", "error_message"]

    def csv(self, records: Iterable[Record], *, has_header: bool = True) -> bytes:
        """Return records as csv in UTF-8; what is no plain value is JSON."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        if has_header:
            writer.writerow(self.columns)
        writer.writerows(self._row(record) for record in records)
        return stream.getvalue().encode()

    def parquet(self, records: Iterable[Record]) -> bytes:
        """Return records as a parquet file."""
        stream = io.BytesIO()
        self._write_parquet(records, stream)
        return stream.getvalue()

    def write(self, records: Iterable[Record], path: Path, file_format: str) -> None:
        """Write records into a file, holding only some thousand of them in memory."""
        with path.open("wb") as stream:
            if file_format == "parquet":
                self._write_parquet(records, stream)
                return
            records = iter(records)
            stream.write(self.csv(()))
            while some := list(islice(records, _GROUP_ROWS)):
                stream.write(self.csv(some, has_header=False))

    def _row(self, record: Record) -> list[Any]:
        answer, error = record.get("answer") or {}, record.get("error") or {}
        cells = [_plain(answer.get(member)) for member in self._types]
        return [record["line"], record.get("id"), *cells, error.get("code"), error.get("message")]

    def _write_parquet(self, records: Iterable[Record], stream: Any) -> None:
        # Imported here because it takes 0.1 s that a list of the tasks need not wait for.
        import pyarrow as pa
        import pyarrow.parquet as pq

        kinds = {member: getattr(pa, _PLAIN.get(kind, "string"))() for member, kind in self._types.items()}
        kinds |= {m: pa.list_(pa.float64()) for m, kind in self._types.items() if kind == list[float]}
        text = pa.string()
        schema = pa.schema(
            [
                ("line", pa.int64()),
                ("id", text),
                *kinds.items(),
                ("error_code", text),
                ("error_message", text),
            ]
        )
        records = iter(records)
        with pq.ParquetWriter(stream, schema) as writer:
            while some := list(islice(records, _GROUP_ROWS)):
                columns = zip(*(self._typed(record, kinds) for record in some), strict=True)
                arrays = [pa.array(cells, f.type) for cells, f in zip(columns, schema, strict=True)]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))

    def _typed(self, record: Record, kinds: Mapping[str, Any]) -> list[Any]:
        answer, error = record.get("answer") or {}, record.get("error") or {}
        cells = [
            answer.get(member) if str(kind) != "string" else _plain(answer.get(member))
            for member, kind in kinds.items()
        ]
        row_id = None if record.get("id") is None else str(record["id"])
        return [record["line"], row_id, *cells, error.get("code"), error.get("message")]


def _plain(value: Any) -> Any:
    return orjson.dumps(value).decode() if isinstance(value, (list, dict)) else value


def answer_format(path: Path) -> str:
    """Return the format of a file of answers by its ending.

    Raises:
        UnknownNameError: It has none of them.

    >>> answer_format(Path("answers.parquet"))
    'parquet'
    """
    endings = {".jsonl": "jsonl", ".ndjson": "jsonl", ".json": "jsonl", ".csv": "csv", ".parquet": "parquet"}
    found = endings.get(path.suffix.lower())
    if found is None:
        raise UnknownNameError.among("format of answers", path.suffix or path.name, endings)
    return found
