"""The smallest change that turns an answer: among values seen in training, within what the caller allows."""

import itertools

import pytest

from servery.errors import InputError
from servery.models.counterfactual import CounterfactualQuestion, Search, Span
from servery.models.recipe import find_recipe

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
CLOSE = {**RISKY, "debt_ratio": 0.4, "late_payments": 2.0, "employment": "employed"}


@pytest.fixture(scope="module", params=["logistic", "scorecard", "gradient-boosting"])
def predictor(request, trained):
    return trained(find_recipe(request.param, "table", TASK), TASK).predictor


def label_of(predictor, example):
    return predictor.predict([example])[0].label


def test_the_change_turns_the_answer_and_every_new_value_was_seen_in_training(predictor):
    for row in (RISKY, CLOSE):
        before = label_of(predictor, row)
        found = Search(predictor, CounterfactualQuestion()).nearest(row)
        assert found.is_found
        assert label_of(predictor, {**row, **found.example}) == found.label != before
        for change in found.changes:
            known = predictor.signature.profile.column(change.column)
            assert found.example[change.column] in known.values
            assert f"{change.column} were {change.after} instead of {change.before}" in found.words


def test_no_single_change_of_a_kept_value_is_nearer(predictor):
    found = Search(predictor, CounterfactualQuestion()).nearest(CLOSE)
    before, nearer = label_of(predictor, CLOSE), []
    for column in predictor.signature.profile.columns:
        for value in column.values:
            old = CLOSE[column.name]
            away = abs(value - old) / column.spread if column.is_number else float(value != old)
            if 0 < away < found.distance - 1e-9:
                nearer.append({**CLOSE, column.name: value})
    assert all(answer.label == before for answer in predictor.predict([CLOSE, *nearer]))


def test_fixed_columns_stay_and_limits_are_kept(predictor):
    free = Search(predictor, CounterfactualQuestion()).nearest(CLOSE)
    changed = free.changes[0].column
    fixed = Search(predictor, CounterfactualQuestion(fixed=(changed, "age"))).nearest(CLOSE)
    assert not {changed, "age"} & fixed.example.keys()
    assert not fixed.is_found or fixed.distance >= free.distance - 1e-9
    limits = {"late_payments": Span(min=1.0), "income": Span(max=22000.0)}
    bound = Search(predictor, CounterfactualQuestion(limits=limits)).nearest(RISKY)
    assert bound.example.get("late_payments", 1.0) >= 1.0
    assert bound.example.get("income", 0.0) <= 22000.0


def test_where_nothing_may_change_it_says_what_was_searched(predictor):
    found = Search(predictor, CounterfactualQuestion(fixed=tuple(RISKY))).nearest(RISKY)
    assert (found.is_found, found.changes, found.example) == (False, (), {})
    assert found.label == label_of(predictor, RISKY)
    assert "No change was found" in found.words


def test_a_label_that_is_answered_already_needs_no_change(predictor):
    found = Search(predictor, CounterfactualQuestion(label="yes")).nearest(RISKY)
    assert found.is_found
    assert found.changes == ()
    assert "already" in found.words


def test_a_missing_number_can_be_filled_in(predictor):
    found = Search(predictor, CounterfactualQuestion()).nearest({**CLOSE, "income": None})
    assert found.is_found


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (CounterfactualQuestion(fixed=("agee",)), "Did you mean 'age'"),
        (CounterfactualQuestion(limits={"purpose": Span(max=1.0)}), "only a number has limits"),
        (CounterfactualQuestion(label="maybe"), "no label 'maybe'"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_known_names(predictor, question, words):
    with pytest.raises(InputError, match=words):
        Search(predictor, question)


def test_a_model_whose_training_values_nobody_kept_is_refused_with_what_to_do(predictor):
    from dataclasses import replace

    bare = replace(predictor, signature=replace(predictor.signature, profile=None))
    with pytest.raises(InputError, match="no counterfactuals") as refused:
        Search(bare, CounterfactualQuestion())
    assert "trained" in refused.value.hint


def test_two_columns_change_together_where_one_alone_is_not_enough(predictor):
    found = Search(predictor, CounterfactualQuestion(fixed=("late_payments",))).nearest(RISKY)
    singles = [
        {**RISKY, column.name: value}
        for column in predictor.signature.profile.columns
        for value in column.values
        if column.name != "late_payments"
    ]
    if not any(answer.label == "no" for answer in predictor.predict(singles)):
        assert not found.is_found or len(found.changes) > 1
        subsets = itertools.combinations(found.changes, max(len(found.changes) - 1, 0))
        for subset in subsets if found.is_found else ():
            partial = {c.column: found.example[c.column] for c in subset}
            assert label_of(predictor, {**RISKY, **partial}) == "yes"
