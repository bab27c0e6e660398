"""Answers of relation extraction: direction, entities, and what is no relation."""

import numpy as np
import pytest

from servery.data.columns import Column, Kind, Role
from servery.errors import InputError
from servery.models.signature import Limits
from servery.tasks.forms.marked_text import MARKED_TEXT
from servery.tasks.relation_extraction import RELATION_EXTRACTION
from servery.tasks.task import Calibration

LABELS = ("founded(e1,e2)", "founded(e2,e1)", "no_relation")
COLUMNS = (Column("sentence", Kind.MARKED_TEXT, Role.INPUT),)
TEXT = "<e1>Acme</e1> was founded by <e2>Ann</e2>."


def answered(best: int) -> object:
    outputs = np.full((1, 3), -5.0, np.float32)
    outputs[0, best] = 5.0
    task = RELATION_EXTRACTION.with_labels(LABELS)
    answers = task.decode(outputs, LABELS, Calibration(), task.parameters())
    return task.completed(answers, [{"sentence": TEXT}])[0]


def test_the_direction_decides_what_is_head_and_tail() -> None:
    answer = answered(1)
    assert (answer.relation, answer.head.text, answer.tail.text) == ("founded", "Ann", "Acme")
    assert (answer.head.start, answer.head.end) == (20, 23)
    [row] = RELATION_EXTRACTION.hub_answers([answer], frozenset({Kind.MARKED_TEXT}), False)
    assert row["head"] == {"text": "Ann", "start": 20, "end": 23}
    assert answered(0).head.text == "Acme"


def test_no_relation_is_no_fact() -> None:
    assert answered(2).relation == ""
    assert RELATION_EXTRACTION.hub_answers([answered(2)], frozenset({Kind.MARKED_TEXT}), True) == [[]]


def test_metrics_follow_the_names_of_the_labels() -> None:
    targets = np.array([0, 1, 2, 2])
    outputs = np.eye(3, dtype=np.float32)[[1, 1, 2, 0]]
    bound = RELATION_EXTRACTION.with_labels(LABELS).measure(targets, outputs, Calibration())
    # One relation: 1 right, said 3 times, true twice.
    assert bound["relation_f1"] == pytest.approx(2 / 5)
    assert bound["accuracy"] == 0.5


def test_places_beside_the_text_are_read_like_marks() -> None:
    places = {
        "text": "Acme was founded by Ann.",
        "head": {"start": 0, "end": 4},
        "tail": {"start": 20, "end": 23},
    }
    assert MARKED_TEXT.examples([places, TEXT], COLUMNS, Limits()) == [{"sentence": TEXT}] * 2


@pytest.mark.parametrize(
    ("value", "param"),
    [
        ({"text": "Ann", "head": {"start": 0, "end": 9}, "tail": {"start": 1, "end": 2}}, "/inputs/head"),
        ({"text": "Ann Bo", "head": {"start": 0, "end": 4}, "tail": {"start": 3, "end": 6}}, "/inputs/tail"),
        ({"text": "Ann", "head": {"start": True, "end": 3}, "tail": {"start": 0, "end": 1}}, "/inputs/head"),
        ({"text": "Ann", "head": 3}, "/inputs"),
        ("plain", "/inputs"),
        ("", "/inputs"),
        (7, "/inputs"),
    ],
)
def test_bad_inputs_name_their_place(value: object, param: str) -> None:
    with pytest.raises(InputError) as caught:
        MARKED_TEXT.examples(value, COLUMNS, Limits())
    assert caught.value.param == param


def test_only_words_beside_the_entities_are_parts_of_an_explanation() -> None:
    parts = MARKED_TEXT.parts({"sentence": TEXT}, COLUMNS)
    assert [part.text for part in parts] == ["was", "founded", "by"]
    without = MARKED_TEXT.without({"sentence": TEXT}, parts[1], COLUMNS)
    assert without["sentence"] == "<e1>Acme</e1> was  by <e2>Ann</e2>."
