"""Files of tagged texts: rows of spans, of tokens and tags, CoNLL; rows that cannot be are set aside."""

import json

import orjson
import pytest

from servery.data.building import build_dataset
from servery.data.columns import Kind
from servery.data.span_files import read_spans
from servery.errors import DataError, EmptyDataError


def written(folder, name, rows):
    path = folder / name
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def texts_of(raw):
    return list(raw.values["text"]), [orjson.loads(cell) for cell in raw.values["entities"]]


def test_tokens_with_tags_become_texts_with_spans_and_other_columns_stay(tmp_path):
    rows = [
        {"tokens": ["Ann", "in", "Rome"], "tags": ["B-person", "O", "B-place"], "part": "train"},
        {"tokens": ["quiet"], "tags": ["O"], "part": "test"},
    ]
    raw = read_spans(written(tmp_path, "rows.jsonl", rows))
    texts, spans = texts_of(raw)
    assert texts == ["Ann in Rome", "quiet"]
    assert spans == [
        [{"start": 0, "end": 3, "label": "person"}, {"start": 7, "end": 11, "label": "place"}],
        [],
    ]
    assert list(raw.values["part"]) == ["train", "test"]


def test_a_conll_file_is_read_sentence_by_sentence(tmp_path):
    lines = ["-DOCSTART- -X- O O", "", "Ann NNP B-person", "sings VBZ O", "", "", "上 B-place", "海 I-place"]
    raw = read_spans(written(tmp_path, "news.conll", lines))
    texts, spans = texts_of(raw)
    assert texts == ["Ann sings", "上海"]
    assert [[span["label"] for span in found] for found in spans] == [["person"], ["place"]]
    assert raw.line_numbers.tolist() == [3, 7]


def test_a_conll_line_without_a_tag_is_named(tmp_path):
    with pytest.raises(DataError, match=r"Line 2 of news\.bio has a token without a tag: 'sings'"):
        read_spans(written(tmp_path, "news.bio", ["Ann B-person", "sings"]))


def test_rows_that_cannot_be_are_set_aside_with_line_and_reason(tmp_path):
    rows = [
        {"text": "Ann sings", "entities": [{"start": 0, "end": 3, "label": "person"}]},
        {"text": "Ann sings", "entities": [{"start": 0, "end": 30, "label": "person"}]},
        {"text": "Bo", "entities": []},
        {"text": "Cy", "entities": "Cy"},
        {
            "text": "Di Fu",
            "entities": [{"start": 0, "end": 4, "label": "a"}, {"start": 3, "end": 5, "label": "b"}],
        },
    ]
    raw = read_spans(written(tmp_path, "rows.jsonl", rows))
    dataset = build_dataset(raw, "rows", target="entities", kinds={"text": "text", "entities": "spans"})
    assert dataset.target.kind is Kind.SPANS
    assert dataset["entities"][1] == []
    assert [bad.line for bad in dataset.bad_rows] == [2, 4, 5]
    assert "outside the text of 9 characters" in dataset.bad_rows[0].reason
    assert "overlap" in dataset.bad_rows[2].reason


def test_tags_of_another_number_than_tokens_are_set_aside(tmp_path):
    rows = [{"tokens": ["Ann"], "tags": ["B-person"]}, {"tokens": ["Bo", "sings"], "tags": ["B-person"]}]
    raw = read_spans(written(tmp_path, "rows.jsonl", rows))
    assert len(raw) == 1
    assert (raw.bad_rows[0].line, raw.bad_rows[0].reason) == (2, "2 tokens but 1 tags")


def test_a_file_without_a_usable_row_says_why(tmp_path):
    with pytest.raises(EmptyDataError, match="Line 1: 2 tokens but 1 tags"):
        read_spans(written(tmp_path, "rows.jsonl", [{"tokens": ["a", "b"], "tags": ["O"]}]))
    with pytest.raises(EmptyDataError, match="holds no sentence"):
        read_spans(written(tmp_path, "empty.conll", ["-DOCSTART- O", ""]))
