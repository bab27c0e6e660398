"""Rows of files as inputs of models: what people write in files, and an error for every row that does not fit."""

from __future__ import annotations

import base64
import json
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from servery.data.columns import Column, Kind, Role
from servery.data.row_files import format_of, open_rows
from servery.errors import ColumnNotFoundError, ServeryError
from servery.models.signature import Limits
from servery.tasks.file_inputs import FileInputs, InputRow
from servery.tasks.form import form_for

LOAN = (("income", Kind.NUMBER), ("home", Kind.CATEGORY), ("since", Kind.TIME))


def inputs_of(path: Path, *columns: tuple[str, Kind], id_column: str = "", **limits: int) -> FileInputs:
    found = [Column(name, kind, Role.INPUT) for name, kind in columns]
    form = form_for(frozenset(kind for _, kind in columns))
    return FileInputs(form, found, Limits(**limits), open_rows(path, format_of(path)), id_column)


def write(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def told(row: InputRow) -> Any:
    return row.example.code if isinstance(row.example, ServeryError) else row.example


def picture(shade: int) -> bytes:
    stream = BytesIO()
    Image.new("L", (4, 4), shade).save(stream, "PNG")
    return stream.getvalue()


def test_a_table_is_read_as_people_write_it(tmp_path: Path) -> None:
    path = write(
        tmp_path / "loans.csv",
        'id;income;home;since;other\na;"1.200,5";own;2024/3/1;x\nb;3,5;rent;2024-03-01;y\nc;n/a;;;z\nd;many;own;;\n',
    )
    rows = inputs_of(path, *LOAN).take(10)
    assert [row.id for row in rows] == ["a", "b", "c", "d"]
    assert told(rows[1])["income"] == 3.5
    assert told(rows[1])["since"] == np.datetime64("2024-03-01")
    assert np.isnan(told(rows[2])["income"])
    assert told(rows[2])["home"] is None
    assert [told(rows[0]), told(rows[3])] == ["input.invalid", "input.invalid"]


def test_every_bad_row_has_its_own_error_and_the_good_ones_none(tmp_path: Path) -> None:
    lines = [
        {"text": "good"},
        "plain text",
        7,
        {"txt": "wrong name"},
        {"text": None},
        {"text": "x" * 50},
        ["a", "b"],
    ]
    path = write(tmp_path / "rows.jsonl", "\n".join(map(json.dumps, lines)) + "\nbroken\n")
    rows = inputs_of(path, ("text", Kind.TEXT), max_text_characters=20).take(100)
    assert [told(row) for row in rows] == [
        {"text": "good"},
        {"text": "plain text"},
        "input.invalid",
        "data.column_not_found",
        "input.invalid",
        "input.too_long",
        "input.invalid",
        "data.bad_rows",
    ]
    assert [row.line for row in rows] == list(range(1, 9))


def test_pictures_come_as_bytes_or_in_base64(tmp_path: Path) -> None:
    path = tmp_path / "pictures.parquet"
    pq.write_table(pa.table({"id": [7, 8], "image": [picture(9), b"no picture"]}), path)
    rows = inputs_of(path, ("image", Kind.IMAGE)).take(9)
    assert told(rows[0]) == {"image": picture(9)}
    assert told(rows[1]) == "input.unsupported_media"
    assert [row.id for row in rows] == [7, 8]
    lines = json.dumps({"image": base64.b64encode(picture(9)).decode()})
    rows = inputs_of(write(tmp_path / "pictures.jsonl", lines), ("image", Kind.IMAGE)).take(9)
    assert told(rows[0]) == {"image": picture(9)}


def test_a_picture_beside_other_columns_is_read_from_parquet(tmp_path: Path) -> None:
    path = tmp_path / "pictures.parquet"
    pq.write_table(pa.table({"image": [picture(9)], "age": [3]}), path)
    (row,) = inputs_of(path, ("image", Kind.IMAGE), ("age", Kind.NUMBER)).take(9)
    assert told(row) == {"image": picture(9), "age": 3.0}


def test_tensors_come_as_lists_or_as_json_in_a_cell(tmp_path: Path) -> None:
    columns = [Column("x", Kind.TENSOR, Role.INPUT, shape=(2,))]
    for name, content in (("a.jsonl", '{"x": [1, 2]}\n[3, 4]\n'), ("b.csv", 'x\n"[1, 2]"\n"[3, 4]"\n')):
        path = write(tmp_path / name, content)
        form = form_for(frozenset({Kind.TENSOR}))
        rows = FileInputs(form, columns, Limits(), open_rows(path, format_of(path))).take(9)
        assert [told(row)["x"].tolist() for row in rows] == [[1.0, 2.0], [3.0, 4.0]]


def test_a_missing_cell_of_a_line_is_a_missing_value_but_a_missing_column_of_a_file_is_an_error(
    tmp_path: Path,
) -> None:
    (row,) = inputs_of(write(tmp_path / "loans.jsonl", '{"income": 1}'), *LOAN).take(9)
    assert told(row)["home"] is None
    with pytest.raises(ColumnNotFoundError, match="lacks home, since"):
        inputs_of(write(tmp_path / "loans.csv", "income\n1\n"), *LOAN)


def test_ids_come_from_the_column_that_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", "id,key,text\n1,a,x\n2,b,y\n")
    rows = inputs_of(path, ("text", Kind.TEXT), id_column="key").take(9)
    assert [row.id for row in rows] == ["a", "b"]
    with pytest.raises(ColumnNotFoundError, match="lacks number"):
        inputs_of(path, ("text", Kind.TEXT), id_column="number")


def test_rows_are_taken_as_many_as_asked_until_there_are_none(tmp_path: Path) -> None:
    inputs = inputs_of(write(tmp_path / "rows.csv", "text\n" + "x\n" * 5), ("text", Kind.TEXT))
    assert [len(inputs.take(2)) for _ in range(4)] == [2, 2, 1, 0]
