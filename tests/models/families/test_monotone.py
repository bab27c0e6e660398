"""Monotone trees: the score really never goes the other way, and what cannot be monotone is refused."""

import numpy as np
import pytest

from servery.errors import DataError, UnknownNameError
from servery.models.families._monotone import read_monotone
from servery.models.recipe import find_recipe

TASK = "classification"
ASKED = "income:-1, late_payments:+1"


@pytest.fixture(scope="module")
def recipe():
    return find_recipe("gradient-boosting", "table", TASK)


def scores_along(predictor, dataset, column, values):
    """The chance of default of each row at each value, (rows, values)."""
    rows = [
        {**example, column: value} for example in dataset.take(np.arange(40)).examples() for value in values
    ]
    return np.array(
        [a.labels[[p.label for p in a.labels].index("yes")].score for a in predictor.predict(rows)]
    ).reshape(40, -1)


def test_the_score_never_falls_with_a_column_it_may_only_grow_with(recipe, make_work, field_sample):
    rows = field_sample("table", TASK)
    values = {"income": np.linspace(5e3, 2e5, 60).tolist(), "late_payments": np.arange(10.0).tolist()}
    steps = {}
    for monotone in ("", ASKED):
        work = make_work(recipe, TASK, rows, rows, monotone=monotone, bags=2, min_rows_in_leaf=3)
        predictor = recipe.make(work).predictor
        income, late = (np.diff(scores_along(predictor, rows, name, v)) for name, v in values.items())
        steps[monotone] = (income.max(), late.min())
    assert steps[ASKED][0] <= 1e-7
    assert steps[ASKED][1] >= -1e-7
    assert steps[""][0] > 1e-3 or steps[""][1] < -1e-3, "free trees would have been monotone anyway"


def test_a_column_that_is_not_there_is_refused_with_the_one_that_was_meant(recipe, make_work, field_sample):
    rows = field_sample("table", TASK)
    with pytest.raises(UnknownNameError, match="Did you mean 'income'"):
        recipe.make(make_work(recipe, TASK, rows, rows, monotone="incom:-1"))


@pytest.mark.parametrize(
    ("setting", "words"),
    [("income", "a column and"), ("income:2", "a column and"), ("purpose:+1", "only numbers have an order")],
)
def test_a_direction_that_cannot_be_read_is_refused(setting, words, field_sample):
    with pytest.raises(DataError, match=words):
        read_monotone(setting, field_sample("table", TASK).inputs)


def test_a_number_can_be_monotone_too(make_work, field_sample):
    recipe = find_recipe("gradient-boosting", "table", "regression")
    rows = field_sample("table", "regression")
    name = next(c.name for c in rows.inputs if c.kind == "number")
    work = make_work(recipe, "regression", rows, rows, monotone=f"{name}:+1", bags=1, rounds=40)
    predictor = recipe.make(work).predictor
    values = np.linspace(np.nanmin(rows[name]), np.nanmax(rows[name]), 30).tolist()
    examples = [{**e, name: v} for e in rows.take(np.arange(20)).examples() for v in values]
    said = np.array([answer.value for answer in predictor.predict(examples)]).reshape(20, -1)
    assert np.diff(said).min() >= -1e-6
