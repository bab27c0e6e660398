"""The report says whether the test rows look like the training rows, and prints the scorecard."""

from dataclasses import replace

import msgspec
import numpy as np
import pytest

from servery.evaluation.drift import drifts
from servery.evaluation.evaluate import evaluate
from servery.evaluation.report import render
from servery.evaluation.views.drift import DRIFT
from servery.fields.financial_risk import sample
from servery.models.recipe import Budget, Work, find_recipe
from servery.models.score_profile import with_score_profile
from servery.models.signature import Signature
from servery.tasks.classification import CLASSIFICATION


@pytest.fixture(scope="module")
def train():
    return sample(1500, 0)


@pytest.fixture(scope="module")
def predictor(train):
    recipe = find_recipe("scorecard", "table", "classification")
    work = Work(
        CLASSIFICATION, "financial-risk", train, train, dict(recipe.defaults), 0, Budget(None, 1), loop=None
    )
    return with_score_profile(recipe.make(work).predictor, list(sample(600, 5).examples()))


def rows_of(predictor, **changes):
    rows = [{**example, **changes} for example in sample(800, 7).examples()]
    return drifts(predictor, rows, predictor.outputs(rows))


def test_rows_of_the_same_origin_are_stable(predictor):
    found = rows_of(predictor)
    assert {drift.verdict for drift in found} == {"stable"}
    assert found[0].is_score


def test_a_changed_column_is_named_with_what_changed_and_so_is_the_score(predictor):
    found = rows_of(predictor, employment="unemployed", income=None)
    by_name = {drift.name: drift for drift in found}
    assert {d.name for d in found if d.verdict == "moved"} == {"score", "employment", "income"}
    assert by_name["employment"].most_changed == "unemployed"
    assert by_name["employment"].share == 1.0
    assert by_name["income"].most_changed == "missing"


def test_a_category_never_seen_counts_as_other_values(predictor):
    purpose = next(d for d in rows_of(predictor, purpose="yacht") if d.name == "purpose")
    assert (purpose.most_changed, purpose.verdict) == ("other values", "moved")


def test_few_rows_that_differ_by_chance_are_called_stable(predictor):
    few = list(sample(30, 8).examples())
    found = drifts(predictor, few, predictor.outputs(few))
    assert max(drift.index for drift in found) > 0.1
    assert all(drift.verdict == "stable" for drift in found if drift.index < 2 * drift.by_chance)


def test_the_report_shows_the_drift_and_the_card(predictor, train):
    evaluation = evaluate(predictor, sample(400, 7), train)
    page = render(evaluation, {"name": "loans"})
    assert "Do the test rows look like the training rows?" in page
    assert "Everybody starts with" in page
    for row in evaluation.views["scorecard"]["rows"]:
        assert f"{row['points']:+.0f}" in page
    again = msgspec.json.decode(msgspec.json.encode(evaluation.views["drift"]))
    assert DRIFT.figures(again)[0].rows[0][0] == "score"


def test_the_report_counts_the_reasons_of_its_refusals(predictor, train):
    evaluation = evaluate(predictor, sample(400, 7), train)
    found = evaluation.views["reasons"]
    refused = sum(row[1] for row in evaluation.confusion)
    assert found["rows"] == refused > 0
    assert sum(column["first"] for column in found["columns"]) == refused
    assert found["columns"][0]["column"] == "late_payments"
    assert f"Why not {found['label']}?" in render(evaluation, {"name": "loans"})


def test_a_model_without_a_profile_shows_no_drift(predictor, train):
    bare = replace(predictor, signature=replace(predictor.signature, profile=None))
    assert evaluate(bare, sample(200, 7), train).views["drift"] == {}


def test_a_profile_is_kept_with_the_signature(predictor):
    signature = predictor.signature
    assert signature.profile.scores.rows == 600
    back = Signature.from_dict(msgspec.json.decode(msgspec.json.encode(signature.to_dict())))
    assert back.profile == signature.profile


def test_a_column_of_nothing_but_gaps_has_a_profile_too(train, predictor):
    from servery.models.training_profile import ColumnProfile

    numbers = ColumnProfile.of_numbers("x", np.full(5, np.nan))
    categories = ColumnProfile.of_categories("x", [None] * 5)
    assert numbers.counts([None, 1.0]).tolist() == [1, 0, 1]
    assert categories.counts([None, "a"]).tolist() == [1, 1]
