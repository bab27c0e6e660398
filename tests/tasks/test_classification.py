"""What is special to classification, and what the real Hub client makes of its answers."""

import json

import numpy as np
import pytest
from huggingface_hub import ImageClassificationOutputElement, TextClassificationOutputElement
from huggingface_hub.inference._common import _bytes_to_list

from servery.data.columns import Kind
from servery.errors import DataError
from servery.tasks.classification import CLASSIFICATION as TASK
from servery.tasks.task import Calibration

TEXT, IMAGE, TABLE = frozenset({Kind.TEXT}), frozenset({Kind.IMAGE}), frozenset({Kind.NUMBER, Kind.TEXT})
OUTPUTS = np.log(np.array([[0.2, 0.5, 0.3], [0.7, 0.2, 0.1]], dtype=np.float32))
LABELS = ("bad", "fine", "good")


def answers(top_k=None):
    return TASK.decode(OUTPUTS, LABELS, Calibration(), TASK.parameters(top_k=top_k))


def test_labels_are_sorted(make_dataset):
    assert TASK.labels_of(make_dataset(["c", "a", None, "b"], Kind.CATEGORY)) == ("a", "b", "c")


@pytest.mark.parametrize("values", [["no", "no", "yes"], ["good", "bad", "good"]])
def test_of_two_labels_the_rarer_one_is_last(make_dataset, values):
    rare = min(set(values), key=values.count)
    assert TASK.labels_of(make_dataset(values, Kind.CATEGORY))[1] == rare


def test_a_single_label_is_refused(make_dataset):
    with pytest.raises(DataError, match="1 distinct value"):
        TASK.labels_of(make_dataset(["a", "a"], Kind.CATEGORY))


def test_missing_and_unknown_targets_are_named_by_line(make_dataset):
    dataset = make_dataset(["a", None, "b", "z"], Kind.CATEGORY)
    with pytest.raises(DataError, match=r"2 row.*line 3: missing; line 5: 'z'"):
        TASK.encode_targets(dataset, ["a", "b"])


def test_answers_are_sorted_and_sum_to_one():
    first = answers()[0]
    assert (first.label, [p.label for p in first.labels]) == ("fine", ["fine", "good", "bad"])
    assert first.score == pytest.approx(0.5)
    assert sum(p.score for p in first.labels) == pytest.approx(1.0)


def test_the_temperature_that_spoiled_the_outputs_is_found_again():
    generator = np.random.default_rng(0)
    honest = generator.normal(size=(4000, 3)) * 2
    chances = TASK.scores(honest, Calibration())
    targets = np.array([generator.choice(3, p=row) for row in chances])
    found = TASK.calibrate(targets, (honest * 3).astype(np.float32))
    assert found.temperature == pytest.approx(3.0, rel=0.05)
    assert (
        TASK.measure(targets, honest * 3, found)["ece"]
        < TASK.measure(targets, honest * 3, Calibration())["ece"]
    )


@pytest.mark.parametrize("labels", [2, 3])
def test_a_small_part_without_a_mistake_does_not_make_the_scores_certain(labels):
    targets = np.array([0, 1, 0, 1])
    outputs = (np.eye(labels)[targets] * 4 - 2).astype(np.float32)
    scores = TASK.scores(outputs, TASK.calibrate(targets, outputs))
    assert 0.9 < scores.max() < 0.9999


def test_two_labels_have_the_metrics_of_the_last_one():
    targets = np.array([0, 0, 0, 1, 1])
    outputs = np.array([[1, -1], [2, -2], [-0.5, 0.5], [0.2, -0.2], [-2, 2]], dtype=np.float32)
    measured = TASK.measure(targets, outputs, Calibration())
    assert measured["roc_auc"] == pytest.approx(5 / 6)
    assert measured["gini"] == pytest.approx(2 / 3)
    assert measured.keys() >= {"ks", "brier", "ece", "average_precision", "log_loss", "balanced_accuracy"}


def test_the_trivial_model_answers_the_most_frequent_label_with_its_share():
    outputs = TASK.trivial_outputs(np.array([2] * 98 + [0] * 49), 3, rows=2)
    scores = TASK.scores(outputs, Calibration())
    np.testing.assert_allclose(scores, [[50 / 150, 1 / 150, 99 / 150]] * 2, rtol=1e-5)


def test_the_hub_client_reads_texts_from_a_nested_list():
    body = json.dumps(TASK.hub_answers(answers()[:1], TEXT, False)).encode()
    read = TextClassificationOutputElement.parse_obj_as_list(body)[0]
    assert [(e["label"], round(e["score"], 3)) for e in read] == [("fine", 0.5), ("good", 0.3), ("bad", 0.2)]


def test_the_hub_client_reads_a_picture_from_a_flat_list():
    body = json.dumps(TASK.hub_answers(answers(top_k=2)[:1], IMAGE, False)).encode()
    read = ImageClassificationOutputElement.parse_obj_as_list(body)
    assert [e.label for e in read] == ["fine", "good"]


def test_the_hub_client_reads_table_rows_from_a_list_of_labels():
    body = json.dumps(TASK.hub_answers(answers(), TABLE, True)).encode()
    assert _bytes_to_list(body) == ["fine", "bad"]


def test_batches_of_texts_and_pictures_are_lists_of_lists():
    for kinds in (TEXT, IMAGE):
        shaped = TASK.hub_answers(answers(), kinds, True)
        assert [row[0]["label"] for row in shaped] == ["fine", "bad"]
