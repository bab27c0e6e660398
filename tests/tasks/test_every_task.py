"""What holds for every task, found by its file."""

import json

import msgspec
import numpy as np
import pytest

from servery.data.columns import Column, Kind, Role
from servery.tasks.label_task import LabelTask
from servery.tasks.task import Calibration, all_tasks

TASKS = [task for task in all_tasks().values() if isinstance(task, LabelTask)]
CELLS = {
    Kind.CATEGORY: ["good", "bad", "bad", "fine"] * 10,
    Kind.LABELS: [("a", "b"), (), ("b",), ("c", "a")] * 10,
}
OWN_CELLS = {"driving-decision": ["FASTER", "IDLE", "IDLE", "LANE_LEFT"] * 10}
"""Of tasks that know their labels beforehand."""
KINDS = [frozenset({Kind.TEXT}), frozenset({Kind.IMAGE}), frozenset({Kind.NUMBER, Kind.CATEGORY})]


@pytest.fixture(params=TASKS, ids=lambda task: task.name)
def task(request):
    return request.param


@pytest.fixture
def learned(task, make_dataset):
    """Labels, targets and outputs that are right three times out of four."""
    kind = next(k for k in Kind if task.accepts(Column("label", k, Role.TARGET)))
    dataset = make_dataset(OWN_CELLS.get(task.name, CELLS[kind]), kind)
    labels = task.labels_of(dataset)
    targets = task.encode_targets(dataset, labels)
    carried = np.eye(len(labels))[targets] if targets.ndim == 1 else targets
    noise = np.random.default_rng(0).normal(size=carried.shape)
    return labels, targets, (carried * 3 - 1.5 + noise).astype(np.float32)


def test_it_says_what_it_is_in_two_languages(task):
    assert task.name == task.name.lower().replace("_", "-")
    assert task.title.keys() >= {"en", "zh"}
    assert task.summary.endswith("?")


def test_targets_have_the_promised_type(task, learned):
    labels, targets, outputs = learned
    expected = (np.int64, (40,)) if targets.ndim == 1 else (np.float32, (40, len(labels)))
    assert (targets.dtype, targets.shape) == expected
    assert outputs.shape == (40, len(labels))


def test_scores_lie_between_zero_and_one_even_for_extreme_outputs(task):
    outputs = np.array([[1e4, -1e4, 0.0], [-3e38, 3e38, 1.0]], dtype=np.float32)
    scores = task.scores(outputs, Calibration())
    assert scores.dtype == np.float64
    assert np.isfinite(scores).all()
    assert ((scores >= 0) & (scores <= 1)).all()


def test_the_primary_metric_is_measured_finite_and_larger_for_the_better_model(task, learned):
    _, targets, outputs = learned
    good = task.measure(targets, outputs, Calibration())
    bad = task.measure(targets, -outputs, Calibration())
    assert good[task.primary_metric] > bad[task.primary_metric]
    assert all(isinstance(v, float) and np.isfinite(v) for v in [*good.values(), *bad.values()])
    json.dumps(good, allow_nan=False)


def test_one_row_can_be_measured(task, learned):
    _, targets, outputs = learned
    assert task.primary_metric in task.measure(targets[:1], outputs[:1], Calibration())


def test_calibration_never_raises_the_log_loss_on_its_own_rows(task, learned):
    _, targets, outputs = learned
    calibration = task.calibrate(targets, outputs * 5)
    assert calibration.fitted_on == 40
    before = task.measure(targets, outputs * 5, Calibration())["log_loss"]
    assert task.measure(targets, outputs * 5, calibration)["log_loss"] < before


def test_the_trivial_model_ignores_its_input_and_is_worse(task, learned):
    labels, targets, outputs = learned
    trivial = task.trivial_outputs(targets, len(labels), 40)
    assert trivial.dtype == np.float32
    assert trivial.shape == (40, len(labels))
    assert (trivial == trivial[0]).all()
    primary = task.primary_metric
    worse = task.measure(targets, trivial, Calibration())[primary]
    assert worse < task.measure(targets, outputs, Calibration())[primary]


def test_answers_go_through_json_and_back(task, learned):
    labels, _, outputs = learned
    answers = task.decode(outputs, labels, Calibration(), task.parameters())
    assert len(answers) == 40
    back = msgspec.json.decode(msgspec.json.encode(answers), type=list[task.answer])
    assert back == answers


def test_top_k_keeps_that_many_labels_the_best_first(task, learned):
    labels, _, outputs = learned
    full = task.decode(outputs, labels, Calibration(), task.parameters())
    short = task.decode(outputs, labels, Calibration(), task.parameters(top_k=2))
    assert all(len(answer.labels) == 2 for answer in short)
    assert [answer.labels[:2] for answer in full] == [answer.labels for answer in short]
    assert all(a.labels[0].score >= a.labels[1].score >= a.labels[-1].score for a in full)


@pytest.mark.parametrize("body", [b'{"top_k":0}', b'{"top_k":1001}', b'{"top_k":"2"}', b'{"top_p":1}'])
def test_parameters_out_of_bounds_are_refused(task, body):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=task.parameters)


def test_the_schemas_of_parameters_and_answers_can_be_made(task):
    schemas, _ = msgspec.json.schema_components([task.parameters, task.answer])
    assert len(schemas) == 2


@pytest.mark.parametrize("kinds", KINDS, ids=lambda kinds: "+".join(sorted(kinds)))
def test_hub_answers_are_plain_json_for_one_and_many(task, learned, kinds):
    labels, _, outputs = learned
    answers = task.decode(outputs[:2], labels, Calibration(), task.parameters())
    known = {"text-classification", "image-classification", "tabular-classification"}
    assert task.hub_name(kinds) in {*known, task.name}
    for given, is_batch in ((answers[:1], False), (answers, True)):
        shaped = task.hub_answers(given, kinds, is_batch)
        assert json.loads(json.dumps(shaped)) == shaped
        assert isinstance(shaped, list)


def test_the_primary_metric_alone_is_the_one_among_all(task, learned):
    _, targets, outputs = learned
    for calibration in (Calibration(), task.calibrate(targets, outputs)):
        whole = task.measure(targets, outputs, calibration)
        assert task.primary(targets, outputs, calibration) == whole[task.primary_metric]
