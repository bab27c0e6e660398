"""Reading the rows of a file one after another: every format, torn rows, and no more memory than a few rows need."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from servery.data.readers import read_raw
from servery.data.row_files import FileRow, format_of, open_rows
from servery.errors import DataError, DataNotFoundError, EmptyDataError


def rows_of(path: Path, skip: int = 0) -> list[FileRow]:
    return list(open_rows(path, format_of(path), skip=skip).rows)


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


TORN = 'id,text\n1,good\n2,"open\n3,fine\n4,a,b\n5,"said ""no"""\n6,"two\nlines"\n7,"x"y\n8,end\n'


def test_torn_rows_are_told_in_their_place_and_the_others_are_read(tmp_path: Path) -> None:
    found = rows_of(write(tmp_path / "rows.csv", TORN))
    assert [row.line for row in found] == [2, 3, 4, 5, 6, 7, 9, 10]
    assert {row.line: row.fault for row in found if row.fault}.keys() == {3, 5, 9}
    assert [row.value["text"] for row in found if not row.fault] == [
        "good",
        "fine",
        'said "no"',
        "two\nlines",
        "end",
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.csv", TORN),
        ("rows.tsv", "a\tb\n1\t2\n\n3\t4\n5\n"),
        ("rows.jsonl", '{"a": 1}\n\nbroken\n[1, 2]\n"text"\n{"b": null}\n'),
    ],
)
def test_skipping_rows_gives_the_rest_of_the_same_rows(tmp_path: Path, name: str, content: str) -> None:
    path = write(tmp_path / name, content)
    whole = rows_of(path)
    assert whole
    for skip in range(len(whole) + 2):
        assert rows_of(path, skip) == whole[skip:]


def test_skipping_rows_of_parquet_crosses_row_groups(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"n": list(range(1000))}), path, row_group_size=300)
    file = open_rows(path, "parquet")
    assert (file.count, file.columns) == (1000, ("n",))
    for skip in (0, 1, 299, 300, 301, 700, 999, 1000, 1001):
        found = rows_of(path, skip)
        assert [row.value["n"] for row in found] == list(range(skip, 1000))
        assert [row.line for row in found[:1]] == ([skip + 1] if found else [])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "gb18030"])
def test_rows_read_one_by_one_are_those_read_at_once(tmp_path: Path, encoding: str) -> None:
    text = "文字,标签\n" + "".join(
        f'"这家店的第{i}道菜\n很好吃",{"好" if i % 2 else "坏"}\n' for i in range(30000)
    )
    path = write(tmp_path / "rows.csv", text.encode(encoding))
    raw = read_raw(path)
    found = rows_of(path)
    assert [row.value["文字"] for row in found] == list(raw.values["文字"])
    assert [row.line for row in found] == raw.line_numbers.tolist()


def test_bytes_that_are_no_text_cost_their_own_row_only(tmp_path: Path) -> None:
    lines = [f'{{"text": "satz {i} schön"}}'.encode() for i in range(20)]
    lines[7] = b'{"text": "\xff\xfe"}'
    found = rows_of(write(tmp_path / "rows.jsonl", b"\n".join(lines)))
    assert [row.line for row in found if row.fault] == [8]
    assert "no text" in found[7].fault


def test_packed_text_files_are_unpacked_as_they_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl.gz", gzip.compress(b'{"a": 1}\n{"a": 2}\n'))
    assert [row.value["a"] for row in rows_of(path)] == [1, 2]
    torn = write(tmp_path / "torn.csv.gz", gzip.compress(b"a,b\n" + b"1,2\n" * 9999)[:-20])
    with pytest.raises(DataError, match="torn gzip"):
        rows_of(torn)


def test_cells_of_parquet_come_as_json_would_have_them_and_pictures_as_bytes(tmp_path: Path) -> None:
    moment = datetime(2026, 5, 1, 9, tzinfo=UTC)
    columns: dict[str, Any] = {
        "whole": pa.array([1, None]),
        "real": pa.array([0.5, float("nan")]),
        "exact": pa.array([Decimal("1.25"), None]),
        "moment": pa.array([moment, None], pa.timestamp("ns", "UTC")),
        "kind": pa.array(["a", None]).dictionary_encode(),
        "picture": pa.array([{"bytes": b"\x89PNG", "path": "x.png"}, None]),
        "numbers": pa.array([[1.0, 2.0], None]),
    }
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    first, second = (row.value for row in rows_of(tmp_path / "rows.parquet"))
    assert first == {
        "whole": 1,
        "real": 0.5,
        "exact": 1.25,
        "moment": "2026-05-01T09:00:00+00:00",
        "kind": "a",
        "picture": b"\x89PNG",
        "numbers": [1.0, 2.0],
    }
    assert set(second.values()) == {None}


def test_files_that_hold_no_rows_say_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(DataNotFoundError):
        open_rows(tmp_path / "nothing.csv", "csv")
    with pytest.raises(EmptyDataError):
        open_rows(write(tmp_path / "empty.csv", ""), "csv")
    with pytest.raises(EmptyDataError):
        rows_of(write(tmp_path / "empty.jsonl", " \n"))
    with pytest.raises(DataError, match="no readable parquet"):
        open_rows(write(tmp_path / "no.parquet", b"PAR1 not really"), "parquet")
    with pytest.raises(DataError, match="no format"):
        format_of(tmp_path / "rows.parquet.gz")


def test_thousands_of_open_quotation_marks_cost_neither_the_stack_nor_the_time(tmp_path: Path) -> None:
    text = "a,b\n" + '1,"x"y\n' * 20000 + "2,fine\n"
    found = rows_of(write(tmp_path / "rows.csv", text))
    assert len(found) == 20001
    assert not found[-1].fault


MEMORY = """
import resource, sys
from pathlib import Path
from servery.data.row_files import format_of, open_rows
path = Path(sys.argv[1])
next(open_rows(Path(sys.argv[2]), format_of(path)).rows)  # whatever is loaded once
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
rows = sum(1 for _ in open_rows(path, format_of(path)).rows)
print(rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_a_large_file_is_never_in_memory_as_a_whole(tmp_path: Path, ending: str) -> None:
    count = 1_000_000 if ending == "parquet" else 100_000
    large, small = tmp_path / f"large.{ending}", tmp_path / f"small.{ending}"
    for path, rows in ((large, count), (small, 10)):
        texts = [f"row {i} " + "x" * 60 for i in range(rows)]
        if ending == "parquet":
            pq.write_table(pa.table({"text": texts}), path)
        elif ending == "csv":
            path.write_text("text\n" + "\n".join(texts))
        else:
            path.write_text("\n".join(json.dumps({"text": text}) for text in texts))
    told = subprocess.run(
        [sys.executable, "-c", MEMORY, str(large), str(small)], capture_output=True, text=True, check=True
    )
    rows, megabytes = map(int, told.stdout.split())
    assert rows == count
    assert megabytes < 24, f"{megabytes} MB more for a file of {large.stat().st_size / 2**20:.0f} MB"
