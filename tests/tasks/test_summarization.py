"""Summarization as a task: references, metrics, and summaries as long as was asked for."""

from typing import Any

import msgspec
import numpy as np
import pytest

from servery.data.building import build_dataset
from servery.data.columns import Column, Kind, Role
from servery.data.raw_table import RawTable, object_array
from servery.errors import DataError
from servery.tasks.passages import joined_passages, word_count
from servery.tasks.summarization import SUMMARIZATION, SummarizationParameters, SummaryAnswer
from servery.tasks.task import Calibration
from servery.tasks.written import HOW, Candidate, Passage, Written, outputs_of

TEXT = "It rained. The new pump keeps the cellars dry. It was cheap."
PASSAGES = (
    Passage("The new pump keeps the cellars dry.", 11, 46, 0.9),
    Passage("keeps the cellars dry", 24, 45, 0.8),
    Passage("It was cheap.", 47, 60, 0.5),
    Passage("It rained.", 0, 10, 0.1),
)
CHOSEN = outputs_of(
    [Written((Candidate(PASSAGES[0].text, 0.9),), characters=len(TEXT), passages=PASSAGES, count=1)]
)


def answer(**asked: Any) -> SummaryAnswer:
    (found,) = SUMMARIZATION.decode(CHOSEN, (), Calibration(), SummarizationParameters(**asked))
    assert isinstance(found, SummaryAnswer)
    return found


def test_unasked_it_is_as_long_as_the_model_was_trained_for() -> None:
    found = answer()
    assert found.text == PASSAGES[0].text
    assert found.sentences == PASSAGES[:1]
    assert all(TEXT[piece.start : piece.end] == piece.text for piece in found.sentences)


def test_more_pieces_come_in_the_order_of_the_text_and_never_overlap() -> None:
    assert answer(max_sentences=2).text == "The new pump keeps the cellars dry. It was cheap."
    assert answer(max_sentences=3).text == answer(max_sentences=64).text == TEXT


@pytest.mark.parametrize("longest", [1, 2, 3, 4, 6, 7, 10])
@pytest.mark.parametrize("count", [1, 3])
def test_a_summary_is_never_longer_than_was_asked_for(longest: int, count: int) -> None:
    found = answer(max_sentences=count, max_length=longest)
    assert 0 < word_count(found.text) <= longest
    assert ("cut_off" in found.warnings) == (longest <= 3)


def test_a_shorter_piece_takes_the_place_of_one_that_does_not_fit() -> None:
    assert answer(max_length=4).text == "keeps the cellars dry"
    assert answer(max_length=1).text == "The"


def test_the_hub_asks_for_a_length_by_its_own_names() -> None:
    asked = msgspec.convert({"generate_parameters": {"max_new_tokens": 4}}, SummarizationParameters)
    (found,) = SUMMARIZATION.decode(CHOSEN, (), Calibration(), asked)
    assert SUMMARIZATION.hub_answers([found], frozenset({Kind.TEXT}), False) == [
        {"summary_text": "keeps the cellars dry"}
    ]
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"generate_parameters": {"do_sample": True}}, SummarizationParameters)


def test_a_writer_is_told_what_is_asked_of_it() -> None:
    asked = SummarizationParameters(max_length=9, beam_size=2)
    (example,) = SUMMARIZATION.prepared([{"text": TEXT}], asked)
    assert example[HOW] == {"beam_size": 2, "length_penalty": None, "most_tokens": 9}


def test_the_metrics_are_means_over_rows_and_a_choice_of_rows_is_measured_alike() -> None:
    targets = object_array([("the pump is dry", "it rained"), ("a dog",)])
    outputs = outputs_of([Written((Candidate("It rained", 0.5),)), Written((Candidate("one dog", 0.5),))])
    judgement = SUMMARIZATION.judge(targets, outputs, Calibration())
    found = judgement.measure(np.arange(2))
    assert found == SUMMARIZATION.measure(targets, outputs, Calibration())
    assert found["rouge_1"] == found["rouge_l"] == pytest.approx(75.0)
    assert found["rouge_2"] == pytest.approx(50.0)
    assert found["length_ratio"] == pytest.approx(4 / 5)
    assert (
        judgement.measure(np.array([1, 1]))["rouge_l"]
        == judgement.primary(np.array([1]))
        == pytest.approx(50.0)
    )
    assert SUMMARIZATION.quality(targets, outputs, Calibration()).tolist() == [1.0, 0.5]


def test_the_trivial_summary_is_the_most_typical_reference() -> None:
    targets = object_array([("we train a model",), ("we test a model",), ("birds",)])
    (trivial, again) = SUMMARIZATION.trivial_outputs(targets, 0, 2)
    assert trivial == again
    assert "model" in trivial


def test_targets_are_a_text_or_several_and_missing_ones_are_told() -> None:
    for kind in (Kind.TEXT, Kind.TEXTS):
        assert SUMMARIZATION.accepts(Column("summary", kind, Role.TARGET))
    assert not SUMMARIZATION.accepts(Column("label", Kind.CATEGORY, Role.TARGET))
    cells = [("one", "two"), ("", " "), ()]
    raw = RawTable(
        {"text": object_array(["a", "b", "c"]), "summary": object_array(cells)}, np.array([2, 3, 4])
    )
    kinds = {"text": "text", "summary": "texts"}
    rows = build_dataset(raw, "d", target="summary", kinds=kinds)
    assert SUMMARIZATION.encode_targets(rows.take(np.arange(1)), ()).tolist() == [("one", "two")]
    with pytest.raises(DataError, match="in 2 rows, first line 3"):
        SUMMARIZATION.encode_targets(rows, ())


def test_chinese_pieces_are_joined_without_spaces() -> None:
    pieces = [
        Passage("提出新方法", 0, 5, 1.0),
        Passage("精度提高。", 8, 13, 0.5),
        Passage("成本低", 20, 23, 0.1),
    ]
    assert joined_passages(pieces) == "提出新方法；精度提高。成本低"
    assert word_count("提出BERT方法。") == 5
