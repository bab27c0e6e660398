"""The report's view of tagging: what is marked, what is confused, and that texts stay texts."""

import json

import msgspec
import numpy as np
import pytest

from servery.data.building import build_dataset
from servery.data.raw_table import RawTable, object_array
from servery.evaluation.view import Case
from servery.evaluation.views.entities import ENTITIES
from servery.models.predictor import Predictor
from servery.models.runtimes.linear import Linear
from servery.models.signature import Signature
from servery.tasks.classification import CLASSIFICATION
from servery.tasks.tagging import TAGGING
from servery.tasks.task import Calibration

LABELS = ("person", "place")


@pytest.fixture
def found():
    """Four texts: right, missed, made up, and confused in label and ends."""
    texts = ["Ann sings", "Bo <b>sings</b>", "nobody sings", "Ann Lind in Rome"]
    spans = [
        [(0, 3, "person")],
        [(0, 2, "person")],
        [],
        [(0, 8, "person"), (12, 16, "place")],
    ]
    words = [
        [(0, 3, 1), (4, 9, 0)],
        [(0, 2, 0), (6, 11, 0)],
        [(0, 6, 1), (7, 12, 0)],
        [(0, 3, 1), (4, 8, 0), (9, 11, 0), (12, 16, 1)],
    ]
    raw = RawTable(
        {
            "text": object_array(texts),
            "entities": object_array(
                [json.dumps([dict(zip(("start", "end", "label"), s, strict=True)) for s in r]) for r in spans]
            ),
        },
        np.arange(1, 5),
    )
    kinds = {"text": "text", "entities": "spans"}
    rows = build_dataset(raw, "rows", target="entities", kinds=kinds, roles={"text": "input"})
    outputs = np.empty(4, object)
    for row, said in enumerate(words):
        outputs[row] = np.zeros((5 + len(said), 7), np.float32)
        for place, (start, end, tag) in enumerate(said):
            outputs[row][5 + place, :2] = start, end
            outputs[row][5 + place, 2 + tag] = 9.0
    signature = Signature("tagging", "test", rows.inputs, LABELS, "entities")
    runtime = Linear(np.zeros((1, 1), np.float32), np.zeros(1, np.float32))
    predictor = Predictor(signature, None, runtime, Calibration(), "test")
    case = Case(predictor, TAGGING, rows, rows, TAGGING.encode_targets(rows, LABELS), outputs, TAGGING)
    return msgspec.json.decode(msgspec.json.encode(ENTITIES.look(case)))


def test_it_looks_at_tagging_only():
    assert ENTITIES.accepts(TAGGING)
    assert not ENTITIES.accepts(CLASSIFICATION)


def test_every_piece_of_a_text_is_plain_right_missed_wrong_or_confused(found):
    kinds = [
        [(piece["text"], piece["kind"]) for piece in pieces if piece["kind"]] for pieces in found["sentences"]
    ]
    assert kinds == [
        [("Ann", "right")],
        [("Bo", "missed")],
        [("nobody", "wrong")],
        [("Ann", "confused"), (" Lind", "missed"), ("Rome", "confused")],
    ]
    assert ["".join(piece["text"] for piece in pieces) for pieces in found["sentences"]][
        3
    ] == "Ann Lind in Rome"


def test_counts_and_confusions_add_up(found):
    assert found["totals"] == [1, 4, 4]
    assert found["confusion"] == [[2, 0, 1], [1, 0, 0], [1, 0, 0]]
    assert found["moved"] == 1
    assert [row["support"] for row in found["labels"]] == [3, 1]


def test_the_figures_tell_the_numbers_and_keep_texts_as_texts(found):
    sentences, labels, confusions = ENTITIES.figures(found)
    assert "Of 4 entities 1 were found exactly; of 4 that the model says 1 are right" in sentences.sentence
    assert "&lt;b&gt;sings&lt;/b&gt;" in sentences.svg
    assert "<b>" not in sentences.svg
    assert sentences.rows[1] == ("Bo <b>sings</b>", "Bo (person)", "")
    assert "Best is person" in labels.sentence
    assert "1 entities were found with the right label but other ends" in confusions.sentence
    assert confusions.headings == ("True \\ said", "person", "place", "nothing")
