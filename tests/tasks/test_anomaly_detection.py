"""Anomalies: a score, an alarm at a promised rate of false ones, and the columns that stand out."""

import msgspec
import numpy as np
import pytest
from sklearn.ensemble import IsolationForest as Forest

from servery.errors import ArtifactError
from servery.fields.offers.financial_risk_anomaly import sample
from servery.models.families.isolation_forest import ISOLATION_FOREST
from servery.models.predictor import Predictor
from servery.models.recipe import Budget, Work
from servery.progress import Silence
from servery.tasks.anomaly_detection import ANOMALY_DETECTION, AnomalyParameters
from servery.tasks.task import Calibration

ODD = {"amount": 900.0, "hour": 3.0, "minutes_since_last": 400.0, "distance_km": 2.0, "channel": "card"}
USUAL = {**ODD, "amount": 30.0, "hour": 14.0}


def made(**changes):
    rows = sample(1200, 0)
    work = Work(
        ANOMALY_DETECTION,
        "financial-risk",
        rows,
        rows,
        {**ISOLATION_FOREST.defaults, **changes},
        0,
        Budget(None, 1),
        loop=None,
        progress=Silence(),
    )
    return ISOLATION_FOREST.make(work).predictor


def calibrated(predictor, rows):
    targets = ANOMALY_DETECTION.encode_targets(rows, predictor.signature.labels)
    outputs = predictor.outputs(list(rows.examples()))
    return predictor.calibrated(ANOMALY_DETECTION.calibrate(targets, outputs))


@pytest.fixture(scope="module")
def predictor():
    return calibrated(made(), sample(800, 1))


def test_the_scores_are_those_of_scikit_learn(predictor):
    encoder, forest = predictor.encoder, Forest(n_estimators=200, max_samples=256, random_state=0)
    x = encoder.encode(list(sample(1200, 0).examples()))["x"]
    expected = -forest.fit(x).score_samples(x)
    np.testing.assert_allclose(predictor.runtime.scores(x), expected, atol=1e-5)


@pytest.mark.parametrize("rate", [0.02, 0.05, 0.2])
def test_no_more_usual_rows_raise_an_alarm_than_promised_and_most_odd_ones_do(predictor, rate):
    rows = sample(2000, 2)
    is_odd = np.array([value == "yes" for value in rows["is_fraud"]])
    answers = predictor.answers(list(rows.examples()), AnomalyParameters(false_alarm_rate=rate))
    alarms = np.array([answer.is_anomaly for answer in answers])
    # Three deviations of a share counted on 730 rows and checked on 1,840.
    by_chance = 3 * np.sqrt(rate * (1 - rate) * (1 / 730 + 1 / 1840))
    assert alarms[~is_odd].mean() == pytest.approx(rate, abs=by_chance)
    assert alarms[is_odd].mean() > 4 * alarms[~is_odd].mean() * (0.5 if rate > 0.1 else 1)


def test_the_columns_that_stand_out_are_named_the_strongest_first(predictor):
    odd, usual = predictor.predict([ODD, USUAL])
    assert {odd.columns[0].column, odd.columns[1].column} == {"amount", "hour"}
    effects = [found.effect for found in odd.columns]
    assert effects == sorted(effects, reverse=True)
    assert odd.score > usual.score
    assert (odd.is_anomaly, odd.label, usual.label) == (True, "yes", "no")


def test_missing_and_unseen_values_are_answered(predictor):
    [answer] = predictor.predict([{**USUAL, "amount": None, "channel": "barter"}])
    assert 0 < answer.score < 1


def test_without_held_out_rows_no_alarm_is_raised(predictor):
    answers = predictor.calibrated(Calibration()).predict([ODD])
    assert not answers[0].is_anomaly


def test_it_can_learn_from_the_usual_rows_alone():
    rows = sample(800, 1)
    targets = ANOMALY_DETECTION.encode_targets(rows, ("no", "yes"))
    found = [
        ANOMALY_DETECTION.measure(
            targets, (p := made(usual_rows_only=only, trees=50)).outputs(list(rows.examples())), Calibration()
        )["roc_auc"]
        for only in (False, True)
    ]
    assert min(found) > 0.85
    assert p.signature.labels[:2] == ("no", "yes")


def test_rows_without_any_anomaly_have_a_primary_metric_all_the_same():
    metrics = ANOMALY_DETECTION.measure(np.zeros(5, np.int64), np.full((5, 1), 0.4), Calibration())
    assert metrics["average_precision"] == 0.0
    assert "roc_auc" not in metrics


def test_answers_go_through_json_and_back(predictor):
    answers = predictor.predict([ODD])
    back = msgspec.json.decode(msgspec.json.encode(answers), type=list[ANOMALY_DETECTION.answer])
    assert back == answers


@pytest.mark.parametrize("rate", [0.0, 0.001, 0.6])
def test_a_rate_that_cannot_be_promised_is_refused(rate):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"false_alarm_rate": rate}, AnomalyParameters)


def test_trees_that_lead_in_a_circle_are_refused(predictor, tmp_path):
    predictor.save(tmp_path)
    kept = Predictor.load(tmp_path)
    assert kept.predict([ODD]) == predictor.predict([ODD])
    children = kept.runtime.children.copy()
    children[0, 0] = 0
    kept.runtime.children = children
    kept.runtime.save(tmp_path)
    with pytest.raises(ArtifactError, match="does not end"):
        Predictor.load(tmp_path)
