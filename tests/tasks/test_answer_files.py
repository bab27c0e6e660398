"""Answers as JSON lines, csv and parquet: each row's line and id beside its answer or its error."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest

from servery.errors import TooLongError, UnknownNameError
from servery.tasks.answer_files import AnswerTable, Record, answer_format, encoded, read_lines, record
from servery.tasks.classification import CLASSIFICATION, ClassificationAnswer, Decision, LabelScore
from servery.tasks.task import Answer, all_tasks


class Found(Answer, frozen=True):
    """An answer of every type of member."""

    label: str
    score: float
    count: int
    vector: list[float]
    parts: list[dict[str, float]]


ANSWER = Found('böse, "sehr"\n', 0.5, 3, [0.25, 1.0], [{"a": 1.0}])
RECORDS = [record(2, "a7", ANSWER), record(3, None, TooLongError("too, long")), record(4, 9, ANSWER)]


@pytest.fixture
def records() -> list[Record]:
    return list(read_lines(encoded(RECORDS).splitlines()))


def test_json_lines_read_back_are_what_was_written(records: list[Record]) -> None:
    assert records[0] == {"line": 2, "id": "a7", "answer": msgspec.to_builtins(ANSWER)}
    assert records[1] == {"line": 3, "error": {"code": "input.too_long", "message": "too, long"}}


def test_csv_holds_every_row_once_and_nested_values_as_json(records: list[Record]) -> None:
    rows = list(csv.DictReader(io.StringIO(AnswerTable(Found).csv(records).decode(), newline="")))
    assert [row["line"] for row in rows] == ["2", "3", "4"]
    assert rows[0]["label"] == ANSWER.label
    assert json.loads(rows[0]["parts"]) == ANSWER.parts
    assert (rows[1]["error_code"], rows[1]["label"]) == ("input.too_long", "")


def test_parquet_keeps_numbers_and_vectors_as_such(records: list[Record], tmp_path: Path) -> None:
    table = AnswerTable(Found)
    table.write(iter(records), tmp_path / "answers.parquet", "parquet")
    (tmp_path / "page.parquet").write_bytes(table.parquet(records))
    for name in ("answers", "page"):
        rows = pq.read_table(tmp_path / f"{name}.parquet").to_pylist()
        assert rows[0] == {
            "line": 2,
            "id": "a7",
            "label": ANSWER.label,
            "score": 0.5,
            "count": 3,
            "vector": [0.25, 1.0],
            "parts": '[{"a":1.0}]',
            "error_code": None,
            "error_message": None,
        }
        assert rows[1]["error_code"] == "input.too_long"
        assert rows[2]["id"] == "9"


def test_a_large_csv_is_that_of_its_parts(records: list[Record], tmp_path: Path) -> None:
    many = records * 6000
    AnswerTable(Found).write(iter(many), tmp_path / "answers.csv", "csv")
    assert (tmp_path / "answers.csv").read_bytes() == AnswerTable(Found).csv(many)


def test_every_task_has_a_table_of_its_answers() -> None:
    for task in all_tasks().values():
        table = AnswerTable(task.answer)
        assert table.columns[:2] == ["line", "id"]
        assert pq.read_table(io.BytesIO(table.parquet(()))).column_names == table.columns
    assert "label" in AnswerTable(CLASSIFICATION.answer).columns


def test_an_ending_that_no_format_has_is_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"\.xlsx"):
        answer_format(Path("answers.xlsx"))


def test_where_the_line_was_drawn_is_a_column_of_its_own_and_empty_where_none_was() -> None:
    plain = ClassificationAnswer("yes", 0.9, (LabelScore("yes", 0.9),))
    drawn = msgspec.structs.replace(plain, decision=Decision("yes", 0.2, "a sensitivity of at least 0.9"))
    records = list(read_lines(encoded([record(1, None, plain), record(2, None, drawn)]).splitlines()))
    table = pq.read_table(io.BytesIO(AnswerTable(ClassificationAnswer).parquet(records)))
    none, told = table["decision"].to_pylist()
    assert none is None
    assert json.loads(told)["threshold"] == 0.2
    assert "decision" not in records[0]["answer"]
