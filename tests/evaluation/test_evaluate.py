"""An evaluation refuses to lie: baselines, leaks, tiny test parts, weak slices."""

import base64
import io
import json
from dataclasses import replace

import evaluation_tiny as tiny
import numpy as np
import pytest
import sklearn.metrics as second
from PIL import Image

from servery.data.columns import Kind
from servery.data.finding import Finding
from servery.errors import DataError, EmptyDataError
from servery.evaluation.evaluate import Evaluation, evaluate

CASES = {
    "reviews": (tiny.reviews, tiny.review_predictor),
    "emotions": (tiny.emotions, tiny.emotion_predictor),
    "credits": (tiny.credits, tiny.credit_predictor),
    "pictures": (tiny.pictures, tiny.picture_predictor),
}


@pytest.fixture(params=CASES)
def case(request):
    make, predict = CASES[request.param]
    train = make(300, 0)
    return predict(train), make(200, 1), train


def calibrated(predictor, dataset):
    targets = predictor.task.encode_targets(dataset, predictor.signature.labels)
    return predictor.calibrated(
        predictor.task.calibrate(targets, predictor.outputs(list(dataset.examples())))
    )


def test_an_evaluation_goes_through_json_and_back(case):
    found = evaluate(*case, history=[{"epoch": 1.0, "loss": float("nan"), "macro_f1": 0.5}])
    text = json.dumps(found.to_dict(), allow_nan=False)
    assert Evaluation.from_dict(json.loads(text)) == found
    assert found.history == ({"epoch": 1.0, "macro_f1": 0.5},)


def test_what_is_no_evaluation_is_refused():
    with pytest.raises(DataError, match="no evaluation"):
        Evaluation.from_dict({"task": 1})


def test_the_same_seed_gives_the_same_evaluation(case):
    assert evaluate(*case, seed=1) == evaluate(*case, seed=1)


def test_the_primary_metric_comes_first_within_its_interval_and_above_the_trivial_one(case):
    found = evaluate(*case)
    primary = found.metrics[0]
    assert primary == found.primary
    assert primary.name == "macro_f1"
    assert primary.low < primary.value < primary.high
    assert primary.value > primary.trivial
    assert found.verdict.startswith("Better than a model that ignores its input: Macro F1 0.")
    assert found.is_trustworthy


def test_headline_and_summary_carry_every_metric(case):
    found = evaluate(*case)
    assert [name for name, _ in found.headline()] == [m.name for m in found.metrics] == list(found.summary())
    assert found.summary()["macro_f1"]["low"] == found.primary.low


def test_macro_f1_equals_that_of_scikit_learn():
    train, test = tiny.reviews(300, 0), tiny.reviews(200, 1)
    predictor = tiny.review_predictor(train)
    answers = [answer.label for answer in predictor.predict(list(test.examples()))]
    expected = second.f1_score(test["label"].tolist(), answers, average="macro")
    assert evaluate(predictor, test, train).primary.value == pytest.approx(expected)


def test_the_verdict_tells_how_the_model_stands_to_the_cheap_baseline():
    train, test = tiny.reviews(300, 0), tiny.reviews(300, 1)
    good, useless = tiny.review_predictor(train), tiny.review_predictor(train, scale=0.0, recipe="cheap")
    beats = evaluate(good, test, train, cheap_baseline=useless)
    assert beats.verdict.startswith("Better than the cheap cheap and than a model")
    assert [c.baseline for c in beats.comparisons] == ["trivial", "cheap"]
    assert all(0 < c.low < c.difference < c.high for c in beats.comparisons)
    equal = evaluate(good, test, train, cheap_baseline=tiny.review_predictor(train, 2.0, "linear"))
    assert "not measurably better than the cheap linear" in equal.verdict
    slow = evaluate(tiny.review_predictor(train, 1.0), test, train, cheap_baseline=good)
    assert slow.comparisons[1].difference == 0.0
    wrong = evaluate(tiny.review_predictor(train, -1.0), test, train, cheap_baseline=good)
    assert wrong.verdict.startswith("Not useful: no better than a model that ignores its input")


def test_a_useful_model_that_is_worse_than_the_cheap_one_is_told_so():
    train, test = tiny.reviews(300, 0), tiny.reviews(300, 1)
    half_blind = tiny.review_predictor(train)
    half_blind.runtime.weight[[2, 5]] = 0.0  # knows two of the three words of bad and fine
    found = evaluate(half_blind, test, train, cheap_baseline=tiny.review_predictor(train, recipe="linear"))
    assert found.verdict.startswith("Useful, but worse than the cheap linear")


def test_the_cheap_baseline_may_know_fewer_labels_in_another_order():
    train, test = tiny.reviews(300, 0), tiny.reviews(200, 1)
    cheap = tiny.review_predictor(train, recipe="linear")
    signature = replace(cheap.signature, labels=("good", "bad"))
    cheap = replace(cheap, signature=signature)
    cheap.runtime.weight, cheap.runtime.bias = cheap.runtime.weight[:, [2, 0]], cheap.runtime.bias[:2]
    found = evaluate(tiny.review_predictor(train), test, train, cheap_baseline=cheap)
    knows_two = np.array([label != "fine" for label in test["label"]])
    assert 0 < found.primary.cheap < found.primary.value
    assert next(m for m in found.metrics if m.name == "accuracy").cheap <= knows_two.mean() + 0.1


def test_a_leak_in_the_findings_makes_the_figures_worth_nothing():
    train, test = tiny.reviews(200, 0), tiny.reviews(100, 1)
    leak = Finding("target_leak", "error", "The column 'x' says the target.", "x", is_leak=True)
    found = evaluate(tiny.review_predictor(train), test, train, findings=[leak])
    assert not found.is_trustworthy
    assert found.verdict.startswith("Not trustworthy: the column 'x' says the target, so Macro F1")
    assert found.findings[0]["is_leak"]


def test_measuring_on_training_rows_is_found_out(case):
    predictor, _, train = case
    mixed = train.take(np.arange(40))
    found = evaluate(predictor, mixed, train)
    assert not found.is_trustworthy
    assert "100% of the test rows have the same inputs as a training row" in found.verdict


def test_rows_that_repeat_by_nature_are_no_leak():
    generator = np.random.default_rng(0)

    def dice(rows):
        eyes = generator.integers(1, 7, rows)
        is_high = np.where(eyes + generator.normal(size=rows) > 3.5, "high", "low").tolist()
        return tiny.dataset_of({"debt": (Kind.NUMBER, eyes), "outcome": (Kind.CATEGORY, is_high)}, "outcome")

    train, test = dice(200), dice(100)
    signature = replace(tiny.credit_predictor(train).signature, labels=("low", "high"))
    predictor = replace(tiny.credit_predictor(train), signature=signature)
    predictor.runtime.bias[:] = [1.75 * 1.5, -1.75 * 1.5]
    assert evaluate(predictor, test, train).is_trustworthy


def test_a_tiny_test_part_is_not_relied_on():
    train, test = tiny.reviews(200, 0), tiny.reviews(29, 1)
    found = evaluate(tiny.review_predictor(train), test, train)
    assert not found.is_trustworthy
    assert found.verdict.startswith("Too few test rows to tell")


def test_no_test_row_at_all_is_refused():
    train = tiny.reviews(50, 0)
    with pytest.raises(EmptyDataError):
        evaluate(tiny.review_predictor(train), train.take(np.arange(0)), train)


def test_generated_data_is_named_in_the_verdict():
    train, test = tiny.reviews(200, 0), tiny.reviews(100, 1)
    found = evaluate(tiny.review_predictor(train), test, train, facts={"is_sample": True})
    assert "generated sample" in found.verdict


def test_a_planted_weakness_is_the_worst_slice():
    train, test = tiny.reviews(600, 0, noise=0.0), tiny.reviews(600, 1, noise=0.0)
    predictor = tiny.review_predictor(train)
    predictor.runtime.weight[[2, 5, 8]] *= -1  # reads the Chinese words the wrong way round
    found = evaluate(predictor, test, train)
    conditions = [(part.column, part.condition) for part in found.slices]
    assert ("review", "mostly Chinese script") in conditions[:2]
    assert all(part.rows >= 20 and part.low <= part.quality <= part.high for part in found.slices)
    assert found.slices_examined >= len(found.slices)


def test_slices_of_tables_name_numbers_categories_missing_values_and_labels():
    train, test = tiny.credits(400, 0), tiny.credits(800, 1)
    found = evaluate(tiny.credit_predictor(train), test, train)
    named = {(part.column, part.condition) for part in found.slices}
    assert ("outcome", "is default") in named
    assert any(
        column == "debt" and ("or more" in condition or "missing" in condition) for column, condition in named
    )


def test_mistakes_are_wrong_sure_and_in_order():
    train, test = tiny.credits(300, 0), tiny.credits(300, 1)
    found = evaluate(tiny.credit_predictor(train), test, train)
    scores = [mistake.score for mistake in found.mistakes]
    assert scores == sorted(scores, reverse=True)
    assert all(mistake.true != mistake.predicted and mistake.score > 0.5 for mistake in found.mistakes)
    worst = found.mistakes[0]
    row = worst.line - 2
    assert test["outcome"][row] == worst.true
    assert f"plan {test['plan'][row]}" in worst.shown


def test_mistakes_of_several_labels_count_what_was_left_out_too():
    train, test = tiny.emotions(300, 0), tiny.emotions(300, 1)
    found = evaluate(calibrated(tiny.emotion_predictor(train), train), test, train)
    assert all(mistake.true != mistake.predicted for mistake in found.mistakes)
    assert any(len(m.true) > len(m.predicted) or m.predicted == "(none)" for m in found.mistakes)


def test_pictures_of_mistakes_are_small_and_can_be_opened():
    train, test = tiny.pictures(200, 0), tiny.pictures(200, 1)
    found = evaluate(tiny.picture_predictor(train), test, train)
    for mistake in found.mistakes:
        head, _, body = mistake.picture.partition(",")
        assert head == "data:image/png;base64"
        with Image.open(io.BytesIO(base64.b64decode(body))) as opened:
            assert max(opened.size) <= 96


def test_curves_are_thinned_but_keep_their_ends_and_area():
    train, test = tiny.credits(300, 0), tiny.credits(3000, 1)
    found = evaluate(tiny.credit_predictor(train), test, train)
    [roc], [precision_recall] = found.roc, found.precision_recall
    assert roc.label == precision_recall.label == "default"
    assert len(roc.x) <= 200
    assert (roc.x[0], roc.y[0], roc.x[-1], roc.y[-1]) == (0.0, 0.0, 1.0, 1.0)
    assert np.trapezoid(roc.y, roc.x) == pytest.approx(roc.area, abs=0.005)
    assert precision_recall.x[-1] == 1.0


def test_label_rows_confusion_and_thresholds_agree_with_scikit_learn():
    train, test = tiny.credits(300, 0), tiny.credits(500, 1)
    predictor = tiny.credit_predictor(train)
    found = evaluate(predictor, test, train)
    answers = predictor.predict(list(test.examples()))
    said, true = [a.label for a in answers], test["outcome"].tolist()
    labels = list(found.labels)
    assert np.array(found.confusion).tolist() == second.confusion_matrix(true, said, labels=labels).tolist()
    precision, recall, f1, support = second.precision_recall_fscore_support(true, said, labels=labels)
    for place, row in enumerate(found.label_rows):
        assert (row.precision, row.recall, row.f1) == pytest.approx(
            (precision[place], recall[place], f1[place])
        )
        assert row.support == support[place]
    at_half = next(row for row in found.thresholds if row.threshold == 0.5)
    assert (at_half.precision, at_half.recall) == pytest.approx((precision[1], recall[1]))


def test_reliability_tells_what_the_temperature_did():
    train, test = tiny.reviews(400, 0), tiny.reviews(400, 1)
    overconfident = tiny.review_predictor(train, scale=12.0)
    found = evaluate(calibrated(overconfident, train), test, train).reliability
    assert found.temperature > 2
    assert found.fitted_on == 400
    assert found.ece < found.ece_before
    assert sum(b.count for b in found.bins) == 400
