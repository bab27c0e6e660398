"""Reasons against a label: exact parts of the score, the strongest first, in words."""

import math

import numpy as np
import pytest

from servery.models.explanation import ExplainParameters, Inquiry, completed, is_exact
from servery.models.predictor import Predictor
from servery.models.recipe import find_recipe
from servery.tasks.classification import CLASSIFICATION
from servery.tasks.form import form_for
from servery.tasks.task import Calibration

TASK = "classification"
RISKY = {
    "income": 21000.0,
    "loan_amount": 30000.0,
    "debt_ratio": 0.8,
    "age": 24.0,
    "employment": "unemployed",
    "purpose": "business",
    "late_payments": 4.0,
}


@pytest.fixture(params=["logistic", "scorecard", "gradient-boosting"])
def predictor(request, trained):
    made = trained(find_recipe(request.param, "table", TASK), TASK)
    return made.predictor.calibrated(Calibration(temperature=1.7))


def explained(predictor, example, **asked):
    parameters = ExplainParameters(**asked)
    form, signature = form_for(predictor.signature.kinds), predictor.signature
    inquiry = Inquiry.into([example], form, signature, is_exact=is_exact(predictor, parameters))
    answers = predictor.decode(predictor.outputs(inquiry.examples))
    told = inquiry.explanations(predictor.task, answers, parameters.label)
    [explanation] = completed(predictor, [example], told, parameters)
    return explanation


def test_base_and_effects_sum_to_the_log_odds_of_the_score_the_caller_sees(predictor):
    for label in predictor.signature.labels:
        found = explained(predictor, RISKY, label=label, reasons=4)
        assert (found.method, found.unit) == ("contributions", "log-odds")
        summed = found.base + sum(effect.effect for effect in found.effects)
        assert summed == pytest.approx(math.log(found.score / (1 - found.score)), abs=1e-4)


def test_every_column_has_its_part_also_one_whose_value_is_missing(predictor):
    found = explained(predictor, {**RISKY, "income": None}, label="no", reasons=1)
    parts = {effect.part.column: effect.part.text for effect in found.effects}
    assert list(parts) == [column.name for column in predictor.signature.inputs]
    assert parts["income"] == "missing"


def test_reasons_are_the_columns_that_speak_most_against_the_label_the_strongest_first(predictor):
    found = explained(predictor, RISKY, label="no", reasons=3)
    effects = [reason.effect for reason in found.reasons]
    assert effects == sorted(effects)
    assert effects[0] < 0
    assert effects == sorted(effect.effect for effect in found.effects)[: len(effects)]
    assert {"late_payments", "debt_ratio"} <= {reason.column for reason in found.reasons}
    assert "late_payments is 4 (usual: 0)" in " ".join(reason.words for reason in found.reasons)


def test_the_same_reasons_are_given_after_saving_and_loading(predictor, tmp_path):
    predictor.save(tmp_path)
    again = explained(Predictor.load(tmp_path), RISKY, label="no", reasons=3)
    assert again == explained(predictor, RISKY, label="no", reasons=3)


def test_a_row_that_nothing_speaks_against_gets_no_reason(predictor):
    best = {**RISKY, "debt_ratio": 0.05, "late_payments": 0.0, "employment": "employed", "income": 60000.0}
    wanted = explained(predictor, {**best, "loan_amount": 5000.0}, label="no", reasons=20)
    assert all(reason.effect < 0 for reason in wanted.reasons)
    assert len(wanted.reasons) < len(wanted.effects)


def test_the_points_of_a_scorecard_stand_beside_its_reasons(trained):
    card = trained(find_recipe("scorecard", "table", TASK), TASK).predictor
    refused, granted = (explained(card, RISKY, label=label, reasons=2) for label in ("no", "yes"))
    assert refused.points == pytest.approx(granted.points)
    assert "points" in refused.reasons[0].words


def test_a_model_whose_score_is_no_sum_is_asked_without_each_column_and_says_so(trained):
    predictor = trained(find_recipe("logistic", "table", TASK), TASK).predictor
    predictor.runtime.means, kept = None, predictor.runtime.means
    try:
        found = explained(predictor, RISKY, label="no", reasons=2)
    finally:
        predictor.runtime.means = kept
    assert (found.method, found.unit) == ("occlusion", "score")
    assert len(found.reasons) == 2
    assert "lowers the score of no" in found.reasons[0].words


def test_of_many_labels_the_parts_sum_to_the_logit_over_the_mean_of_the_others():
    logits = np.array([2.0, -1.0, 0.5])
    assert CLASSIFICATION.log_odds(logits, 0) == pytest.approx(2.25)
    assert CLASSIFICATION.log_odds(logits[:2], 0) == pytest.approx(3.0)
