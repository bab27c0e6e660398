"""A scorecard: bins, points that add up to the score, and a card that can be read."""

import math

import numpy as np
import pytest

from servery.errors import DataError, InputError
from servery.models.encoders.weight_of_evidence import WeightOfEvidence
from servery.models.recipe import find_recipe
from servery.models.scorecard import scorecard_of
from servery.tasks.task import Calibration

TASK = "classification"


@pytest.fixture(scope="module")
def recipe():
    return find_recipe("scorecard", "table", TASK)


@pytest.fixture(scope="module")
def loans(field_sample):
    return field_sample("table", TASK)


@pytest.fixture(scope="module")
def predictor(trained, recipe):
    return trained(recipe, TASK).predictor.calibrated(Calibration(temperature=1.3))


def test_the_points_of_a_row_s_bins_add_up_to_those_of_its_score(predictor, loans):
    card, encoder = scorecard_of(predictor), predictor.encoder
    assert isinstance(encoder, WeightOfEvidence)
    points = {(row.column, row.weight_of_evidence): row.points for row in card.rows}
    examples = list(loans.take(np.arange(200, 260)).examples())
    for example, answer in zip(examples, predictor.predict(examples), strict=True):
        evidence = {name: bins.evidence([example[name]], name)[0] for name, bins in encoder.bins.items()}
        total = card.base + sum(points[pair] for pair in evidence.items())
        score_of_good = next(pair.score for pair in answer.labels if pair.label == card.good)
        assert total == pytest.approx(card.points(score_of_good), abs=1e-3)


def test_base_points_stand_at_the_base_odds_and_double_odds_are_worth_what_was_asked(
    make_work, recipe, loans
):
    rows = loans.take(np.arange(200))
    work = make_work(recipe, TASK, rows, rows, base_points=500.0, base_odds=10.0, points_to_double_odds=40.0)
    card = scorecard_of(recipe.make(work).predictor)
    assert card.points(10 / 11) == pytest.approx(500)
    assert card.points(20 / 21) == pytest.approx(540)
    assert card.factor == pytest.approx(40 / math.log(2))


def test_a_missing_value_has_a_bin_of_its_own_and_an_unseen_category_the_one_of_other_values(predictor):
    bins = predictor.encoder.bins
    assert bins["income"].missing.rows > 0
    missing = bins["income"].evidence([None, float("nan")], "income")
    assert missing.tolist() == [bins["income"].missing.evidence] * 2
    assert bins["employment"].evidence(["astronaut"], "employment")[0] == bins["employment"].others.evidence
    with pytest.raises(InputError, match="expected a number"):
        bins["income"].evidence(["much"], "income")


def test_every_training_row_is_in_one_bin_of_every_column(predictor):
    assert {sum(b.rows for b in bins.all()) for bins in predictor.encoder.bins.values()} == {200}


@pytest.mark.parametrize("asked", ["auto", "debt_ratio:+1,late_payments:+1"])
def test_a_monotone_column_s_points_only_fall_as_the_share_of_bad_grows(asked, make_work, recipe, loans):
    rows = loans.take(np.arange(300))
    made = recipe.make(make_work(recipe, TASK, rows, rows, monotone=asked, least_share=0.03, most_bins=12))
    card = scorecard_of(made.predictor)
    for column in ("debt_ratio", "late_payments"):
        bins = made.predictor.encoder.bins[column].known
        assert [b.bad_share for b in bins] == sorted(b.bad_share for b in bins)
        points = [row.points for row in card.rows if row.column == column][: len(bins)]
        assert points == sorted(points, reverse=True)


def test_no_column_s_points_contradict_its_own_bins(predictor):
    assert (predictor.runtime.weight[:, 1] <= 0).all()


def test_three_labels_are_refused_with_what_to_use_instead(make_work, recipe, make_loans_of_three):
    rows = make_loans_of_three()
    with pytest.raises(DataError, match="two labels") as refused:
        recipe.make(make_work(recipe, TASK, rows, rows))
    assert "logistic" in refused.value.hint


@pytest.fixture
def make_loans_of_three(loans):
    def make():
        cells = loans["defaulted"].copy()
        cells[:30] = "late"
        values = {**loans.values, "defaulted": cells}
        return type(loans)(**{**vars(loans), "values": values})

    return make
