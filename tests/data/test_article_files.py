"""Files with texts and summaries: lists of sentences are texts again, and one summary is a list of one."""

import json
from pathlib import Path

import numpy as np

from servery.data.columns import Kind
from servery.fields._field import find_field
from servery.pipeline.source import open_data
from servery.tasks.summarization import SUMMARIZATION

OFFER = find_field("text-summarization").offers[0]


def test_lists_of_sentences_and_of_references_are_read(tmp_path: Path) -> None:
    lines = [
        {"text": ["It works.\n", " We show why. "], "summary": ["It works.", "Works."]},
        {"text": "A plain text. It is short.", "summary": "Plain."},
    ]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)))
    rows = open_data(OFFER, str(path), None)
    assert rows.target.name == "summary"
    assert rows.target.kind is Kind.TEXTS
    assert rows["text"].tolist() == ["It works. We show why.", "A plain text. It is short."]
    assert SUMMARIZATION.encode_targets(rows, ()).tolist() == [("It works.", "Works."), ("Plain.",)]


def test_a_table_of_texts_and_summaries_is_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("article,summary\n本文提出新方法。效果好。,新方法\nSome text here.,A text\n")
    rows = open_data(OFFER, str(path), None)
    assert [column.name for column in rows.inputs] == ["article"]
    assert SUMMARIZATION.encode_targets(rows.take(np.arange(2)), ()).tolist() == [("新方法",), ("A text",)]
