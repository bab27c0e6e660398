"""Reading csv, tsv and JSON lines as people really write them."""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import pytest

from servery.data.columns import Kind, Role
from servery.data.raw_table import MAX_CELL_CHARACTERS
from servery.data.readers import read
from servery.errors import ColumnNotFoundError, DataError, EmptyDataError

ROWS = [(f"这家店的第{i}道菜很好吃，下次还来", "好" if i % 2 else "坏") for i in range(40)]
CHINESE = "文字,标签\n" + "\n".join(f"{text},{label}" for text, label in ROWS).replace("，", "、") + "\n"


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_quoted_cells_with_line_breaks_keep_their_text_and_the_true_line_numbers(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "reviews.csv",
        'text,label\n"good,\nreally good",pos\nbad,neg\n\n"he said ""no""\r\nthen left",neg\nfine,pos\n',
    )
    dataset = read(path, target="label", kinds={"text": "text"})
    assert list(dataset["text"]) == ["good,\nreally good", "bad", 'he said "no"\r\nthen left', "fine"]
    assert dataset.line_numbers.tolist() == [2, 4, 6, 8]
    assert not dataset.bad_rows


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8-sig"),
        ("utf-16", "utf-16"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("gbk", "gb18030"),
        ("gb18030", "gb18030"),
    ],
)
def test_chinese_text_is_read_in_every_encoding_it_comes_in(tmp_path: Path, encoding: str, said: str) -> None:
    dataset = read(write(tmp_path, "reviews.csv", CHINESE.encode(encoding)), target="标签")
    assert dataset["文字"][3] == "这家店的第3道菜很好吃、下次还来"
    assert set(dataset["标签"]) == {"好", "坏"}
    assert dataset.source.facts["encoding"] == said
    assert dataset.columns[0].kind is Kind.TEXT


def test_western_text_in_latin_1_is_not_taken_for_chinese(tmp_path: Path) -> None:
    lines = [f"le café numéro {i} était très agréable,{'à' if i % 2 else 'é'}" for i in range(30)]
    path = write(tmp_path, "avis.csv", ("texte,classe\n" + "\n".join(lines)).encode("latin-1"))
    dataset = read(path, target="classe")
    assert dataset.source.facts["encoding"] == "latin-1"
    assert dataset["texte"][0] == "le café numéro 0 était très agréable"


def test_one_undecodable_row_is_reported_and_the_others_are_read(tmp_path: Path) -> None:
    lines = CHINESE.encode().splitlines(keepends=True)
    lines[5] = b"torn \xff\xfe text,\xe5\xa5\xbd\n"
    dataset = read(write(tmp_path, "reviews.csv", b"".join(lines)), target="标签")
    assert len(dataset) == 39
    assert [(bad.line, "no text" in bad.reason) for bad in dataset.bad_rows] == [(6, True)]


@pytest.mark.parametrize(("mark", "said"), [(";", "semicolon"), ("\t", "tab"), ("|", "pipe"), (",", "comma")])
def test_the_delimiter_is_found(tmp_path: Path, mark: str, said: str) -> None:
    rows = "\n".join(mark.join([f'"a, b; c {i}"', f"{i}.5", "yes" if i % 3 else "no"]) for i in range(20))
    dataset = read(write(tmp_path, "x.csv", f"text{mark}score{mark}label\n{rows}\n"), target="label")
    assert dataset.source.facts["delimiter"] == said
    assert dataset["score"][3] == 3.5
    assert dataset["text"][3] == "a, b; c 3"


def test_decimal_commas_are_numbers_where_semicolons_part_the_cells(tmp_path: Path) -> None:
    dataset = read(write(tmp_path, "x.csv", "preis;menge\n1,50;3\n12,25;4\n0,99;1\n"))
    assert dataset["preis"].tolist() == [1.5, 12.25, 0.99]


def test_a_single_column_with_commas_in_it_is_one_column(tmp_path: Path) -> None:
    dataset = read(write(tmp_path, "x.csv", "text\nwell, this is fine by me\nno, not this one at all\n"))
    assert dataset["text"][0] == "well, this is fine by me"
    assert dataset.source.facts["delimiter"] == "none, one column"


def test_ragged_rows_are_reported_by_line(tmp_path: Path) -> None:
    path = write(tmp_path, "x.csv", 'a,b,label\n1,2,x\n1,2\n"3\n",4,y\n1,2,3,4\n5,6,x\n')
    dataset = read(path, target="label")
    assert dataset.line_numbers.tolist() == [2, 4, 7]
    assert [(bad.line, bad.reason) for bad in dataset.bad_rows] == [
        (3, "2 cells, expected 3"),
        (6, "4 cells, expected 3"),
    ]


def test_an_unclosed_quotation_mark_costs_its_own_row_only(tmp_path: Path) -> None:
    path = write(tmp_path, "x.csv", 'text,label\nfine,a\n"never closed,b\ngood,a\nbad,b\nso so,a\n')
    dataset = read(path, target="label")
    assert list(dataset["text"]) == ["fine", "good", "bad", "so so"]
    assert [bad.line for bad in dataset.bad_rows] == [3]
    assert "never closed" in dataset.bad_rows[0].reason


def test_a_huge_cell_is_refused_by_its_line_and_the_rest_is_read(tmp_path: Path) -> None:
    huge = "x" * (MAX_CELL_CHARACTERS + 1)
    dataset = read(write(tmp_path, "x.csv", f"text,label\ngood,a\n{huge},b\nbad,b\n"), target="label")
    assert len(dataset) == 2
    assert dataset.bad_rows[0].line == 3
    assert "131,072 characters" in dataset.bad_rows[0].reason


def test_a_file_full_of_torn_rows_is_read_soon(tmp_path: Path) -> None:
    body = "".join(f'"{i}"" torn,x\n' if i % 2 else f"{i} sound,y\n" for i in range(50_000))
    started = time.monotonic()
    dataset = read(write(tmp_path, "x.csv", "text,label\n" + body))
    assert len(dataset) + len(dataset.bad_rows) == 50_000
    assert time.monotonic() - started < 10


def test_a_file_of_open_cells_that_swallow_each_other_is_refused_soon(tmp_path: Path) -> None:
    # Each line closes the cell before it and opens the next, so that a row never ends.
    body = 'x","\n' * 100_000
    started = time.monotonic()
    with pytest.raises(DataError, match="too many quotation marks"):
        read(write(tmp_path, "x.csv", "text,label\n" + body))
    assert time.monotonic() - started < 20


def test_rows_without_a_target_are_reported(tmp_path: Path) -> None:
    dataset = read(write(tmp_path, "x.csv", "size,label\n1,a\n2,\n3,b\n4,a\n"), target="label")
    assert len(dataset) == 3
    assert [(bad.line, bad.reason) for bad in dataset.bad_rows] == [(3, "the target label is missing")]


def test_a_packed_file_reads_like_the_plain_one(tmp_path: Path) -> None:
    plain = read(write(tmp_path, "reviews.csv", CHINESE), target="标签")
    packed = read(write(tmp_path, "reviews.csv.gz", gzip.compress(CHINESE.encode())), target="标签")
    assert packed.source.fingerprint == plain.source.fingerprint
    assert packed.source.name == plain.source.name == "reviews"


def test_a_torn_gzip_file_is_one_clear_error(tmp_path: Path) -> None:
    packed = gzip.compress(CHINESE.encode())
    with pytest.raises(DataError, match="torn gzip"):
        read(write(tmp_path, "x.csv.gz", packed[: len(packed) // 2]))


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("x.csv", b"", EmptyDataError, "empty"),
        ("x.csv", b"a,b\n", EmptyDataError, "header but no rows"),
        ("x.csv", b"a,b,a\n1,2,3\n", DataError, "more than one column named 'a'"),
        ("x.csv", b"PK\x03\x04rest of a workbook", DataError, "Excel"),
        ("x.csv", b"\x80\x04\x95\x10 pickled", DataError, "pickle"),
        ("x.csv", bytes(range(256)) * 40, DataError, "binary"),
        ("x.xlsx", b"PK\x03\x04", DataError, "no format that can be read"),
        ("x.jsonl", b"[1]\nnonsense\n", DataError, "no JSON object. Line 1: a JSON list"),
        ("x.parquet", b"PAR1 but not really", DataError, "no readable parquet"),
    ],
)  # fmt: skip
def test_unusable_files_say_what_is_wrong(
    tmp_path: Path, name: str, content: bytes, error: type[DataError], message: str
) -> None:
    with pytest.raises(error, match=message):
        read(write(tmp_path, name, content))


def test_a_missing_file_names_its_neighbours(tmp_path: Path) -> None:
    write(tmp_path, "reviews.csv", CHINESE)
    with pytest.raises(DataError, match="There is no file") as caught:
        read(tmp_path / "review.csv")
    assert "reviews.csv" in (caught.value.hint or "")


def test_an_unknown_target_names_the_nearest_column(tmp_path: Path) -> None:
    with pytest.raises(ColumnNotFoundError, match="Did you mean 'label'"):
        read(write(tmp_path, "x.csv", "text,label\na,b\n"), target="lable")


def test_json_lines_keep_types_and_report_broken_lines(tmp_path: Path) -> None:
    lines = [
        '{"text": "a good day it was", "stars": 5, "tags": ["x", "y"], "ok": true}',
        '{"text": "torn',
        '{"text": "no stars here at all", "tags": [], "ok": false}',
        "17",
        '{"text": "a \\ud83d\\ude00 day in town", "stars": 1.5, "tags": ["y"], "ok": null}',
    ]
    dataset = read(write(tmp_path, "x.jsonl", "\n".join(lines)))
    assert [bad.line for bad in dataset.bad_rows] == [2, 4]
    assert dataset.line_numbers.tolist() == [1, 3, 5]
    assert list(dataset["tags"]) == [("x", "y"), (), ("y",)]
    assert dataset["stars"][0] == 5
    assert dataset["stars"][1] != dataset["stars"][1]
    assert list(dataset["ok"]) == ["true", "false", None]
    assert dataset["text"][2] == "a 😀 day in town"


def test_a_folder_of_parts_is_read_with_its_parts(tmp_path: Path) -> None:
    for name, rows in (("train", 20), ("dev", 6), ("test", 8)):
        body = "".join(f"{i * 1.25},{'yes' if i % 2 else 'no'}\n" for i in range(rows))
        write(tmp_path, f"{name}.csv", "size,label\n" + body)
    dataset = read(tmp_path, target="label")
    part = next(c for c in dataset.columns if c.role is Role.PART)
    assert part.categories == ("test", "train", "validation")
    assert list(dataset["part"]).count("validation") == 6


def test_files_of_a_folder_that_are_no_parts_are_named(tmp_path: Path) -> None:
    for name in ("train.csv", "test.csv", "test2.csv"):
        write(tmp_path, name, "size,label\n" + "1.5,a\n2.5,b\n" * 5)
    assert read(tmp_path).source.facts["left_out"] == "test2.csv"
    write(tmp_path, "train.jsonl", "{}")
    with pytest.raises(DataError, match="more than one file for the same part"):
        read(tmp_path)


def test_a_folder_with_one_table_asks_for_the_file(tmp_path: Path) -> None:
    write(tmp_path, "reviews.csv", CHINESE)
    with pytest.raises(DataError, match="holds no parts") as caught:
        read(tmp_path)
    assert (caught.value.hint or "").endswith("reviews.csv")


def test_a_hundred_thousand_rows_are_read_in_seconds(tmp_path: Path) -> None:
    body = "".join(f'{i},{i % 977}.5,"text number {i} of the file",{"ab"[i % 2]}\n' for i in range(100_000))
    path = write(tmp_path, "big.csv", "id,amount,text,label\n" + body)
    started = time.monotonic()
    assert len(read(path, target="label")) == 100_000
    assert time.monotonic() - started < 20
