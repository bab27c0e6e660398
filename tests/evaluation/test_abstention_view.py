"""The report shows what abstaining is worth, and what becomes of rows that no label fits."""

import evaluation_tiny as tiny
import msgspec
import pytest

from servery.evaluation.evaluate import evaluate
from servery.evaluation.report import render
from servery.evaluation.views.abstention import ABSTENTION
from servery.tasks.task import Abstention


def abstaining(predictor, dataset, wanted):
    task, labels = predictor.task, predictor.signature.labels
    targets = task.encode_targets(dataset, labels)
    outputs = predictor.outputs(list(dataset.examples()))
    calibration = task.abstaining(task.calibrate(targets, outputs), targets, outputs, labels, wanted)
    return predictor.calibrated(calibration)


def found_of(wanted, make=tiny.reviews, predict=tiny.review_predictor):
    train = make(300, 0)
    return evaluate(abstaining(predict(train), train, wanted), make(200, 1), train)


def of_credits(cost):
    return found_of(Abstention(cost), tiny.credits, tiny.credit_predictor)


def test_the_fewer_rows_are_answered_the_better_the_answers():
    curve = of_credits(0.1).views["abstention"]["curve"]
    coverage = [point["coverage"] for point in curve]
    assert coverage == sorted(coverage, reverse=True)
    assert curve[0]["coverage"] == 1.0
    some = next(p for p in curve if p["coverage"] < 0.6)
    assert some["answered_quality"] > curve[0]["answered_quality"]


def test_the_chosen_point_is_said_with_its_numbers():
    found = of_credits(0.1).views["abstention"]
    point = next(p for p in found["curve"] if p["threshold"] == found["least_confidence"])
    figure = ABSTENTION.figures(msgspec.json.decode(msgspec.json.encode(found)))[0]
    assert f"{point['coverage']:.0%} of the rows" in figure.sentence
    assert f"{point['answered_quality']:.3f}" in figure.sentence


def test_a_label_for_what_is_outside_gets_a_figure_of_its_own():
    evaluation = found_of(Abstention(0.75, "fine"))
    metrics = {metric.name: metric.value for metric in evaluation.metrics}
    page = render(evaluation, {"name": "tiny"})
    assert "Rows that no label fits" in page
    assert f"{metrics['in_scope_accuracy']:.1%} are answered rightly" in page
    assert f"leaves {metrics['out_of_scope_recall']:.1%} unanswered" in page
    assert "Rows that no label fits" not in render(found_of(Abstention(0.75)), {"name": "tiny"})


@pytest.mark.parametrize("make", [tiny.emotions, tiny.credits, tiny.pictures])
def test_every_kind_of_label_can_be_shown(make):
    predict = {
        tiny.emotions: tiny.emotion_predictor,
        tiny.credits: tiny.credit_predictor,
        tiny.pictures: tiny.picture_predictor,
    }[make]
    train = make(300, 0)
    found = evaluate(abstaining(predict(train), train, Abstention(0.4)), make(200, 1), train)
    assert "What abstaining is worth" in render(found, {"name": "tiny"})
