"""The report shows the line a model draws, what it does to groups, and whether maps of pictures can be believed."""

import json
from dataclasses import replace
from functools import cache

import evaluation_tiny as tiny
import numpy as np
import pytest

from servery.data.columns import Role
from servery.evaluation.evaluate import evaluate
from servery.evaluation.groups import groups_of
from servery.evaluation.report import render
from servery.evaluation.views.decisions import DECISIONS, THRESHOLDS
from servery.evaluation.views.saliency import SALIENCY
from servery.evaluation.views.subgroups import SUBGROUPS
from servery.tasks.operating_point import Goal
from servery.tasks.task import Calibration


def deciding(predictor, dataset, goal):
    task, labels = predictor.task, predictor.signature.labels
    targets = task.encode_targets(dataset, labels)
    outputs = predictor.outputs(list(dataset.examples()))
    return predictor.calibrated(task.deciding(Calibration(), targets, outputs, labels, goal))


def of_credits(stated, subgroups=()):
    return evaluated(tuple(stated.items()), tuple(subgroups))


@cache
def evaluated(stated, subgroups):
    train = tiny.credits(600, 0)
    model = deciding(tiny.credit_predictor(train), train, Goal("default", dict(stated)))
    return evaluate(model, tiny.credits(400, 1), train, facts={"subgroups": list(subgroups)})


def figures_of(view, evaluation):
    return {f.title: f for f in view.figures(json.loads(json.dumps(evaluation.views[view.name])))}


def test_the_operating_point_is_told_with_intervals_and_they_are_those_of_the_metrics():
    evaluation = of_credits({"sensitivity": 0.9})
    metrics = {metric.name: metric for metric in evaluation.metrics}
    told = figures_of(DECISIONS, evaluation)["The operating point"].sentence
    assert "a sensitivity of at least 0.9" in told
    for name in ("sensitivity", "specificity", "positive_predictive_value", "negative_predictive_value"):
        assert f"{metrics[name].value:.3f} [" in told
        assert metrics[name].low < metrics[name].value < metrics[name].high
    assert metrics["sensitivity"].value > 0.8


def test_a_model_that_knows_beats_acting_on_all_and_on_none_and_one_that_does_not_never_does():
    knows = figures_of(DECISIONS, of_credits({}))["Decision curve of default"].sentence
    assert "beats both" in knows
    train = tiny.credits(600, 0)
    guesses = evaluate(tiny.credit_predictor(train, slope=0.0), tiny.credits(400, 1), train)
    assert "At no chance" in figures_of(DECISIONS, guesses)["Decision curve of default"].sentence


def test_net_benefit_at_the_smallest_chance_is_that_of_acting_on_all():
    found = of_credits({}).views["decisions"]
    share = found["positives"] / found["rows"]
    assert found["net_benefit"][0] == pytest.approx(share - (1 - share) * 0.01 / 0.99, abs=1e-3)
    assert len(found["net_benefit"]) == len(THRESHOLDS)


@pytest.mark.parametrize(
    ("stated", "title"),
    [
        ({"missed_cost": 4.0, "false_alarm_cost": 1.0}, "What a threshold costs"),
        ({"acceptance_gain": 1.0, "acceptance_loss": 4.0}, "What a threshold earns"),
    ],
)
def test_stated_costs_get_a_curve_and_a_metric(stated, title):
    evaluation = of_credits(stated)
    assert title in figures_of(DECISIONS, evaluation)
    assert {"mean_cost", "mean_profit"} & {metric.name for metric in evaluation.metrics}
    assert title in render(evaluation, {"name": "tiny"})


def test_a_baseline_is_measured_at_the_same_line():
    sensitivity = next(m for m in of_credits({"sensitivity": 0.9}).metrics if m.name == "sensitivity")
    assert sensitivity.trivial in (0.0, 1.0)


def test_groups_are_told_with_their_gaps_and_small_ones_are_marked():
    evaluation = of_credits({"sensitivity": 0.9}, ["plan", "debt"])
    shown = figures_of(SUBGROUPS, evaluation)
    plans = shown["By plan"]
    assert [row[0] for row in plans.rows] == ["all rows", "basic", "gold", "student"]
    assert sum(int(row[1]) for row in plans.rows[1:]) == 400
    fairness = shown["How alike plan is treated"]
    assert [row[0] for row in fairness.rows][:2] == [
        "Demographic parity difference",
        "Equalized odds difference",
    ]
    assert "the model reads it" in plans.sentence
    debts = shown["By debt"]
    assert [row[0] for row in debts.rows][-1] == "missing *"
    assert "missing" in debts.sentence.split("small")[1]


def test_a_model_that_favours_one_group_is_seen_to():
    train, test = tiny.credits(600, 0), tiny.credits(600, 1)
    owes = np.where(np.nan_to_num(test["debt"]) > 0, "gold", "basic").astype(object)
    test = replace(test, values={**test.values, "plan": owes})
    model = deciding(tiny.credit_predictor(train), train, Goal("default"))
    found = evaluate(model, test, train, facts={"subgroups": ["plan"]}).views["subgroups"]["columns"][0]
    gap = found["gaps"]["demographic_parity_difference"]
    assert gap["value"] > 0.2
    assert gap["low"] > 0.1
    assert found["gaps"]["impact_ratio"]["value"] < 0.5


def test_numbers_are_cut_where_the_training_rows_lie_and_few_of_them_are_categories():
    train = tiny.credits(400, 0)
    quarters = groups_of(train, train, "debt")
    assert [len(quarters), list(quarters)[-1]] == [5, "missing"]
    assert np.ptp([mask.sum() for mask in list(quarters.values())[:4]]) <= 1
    coded = replace(train, values={**train.values, "debt": np.where(np.arange(400) % 2, 1.0, 2.0)})
    assert list(groups_of(coded, coded, "debt")) == ["1", "2"]


def test_without_a_named_column_there_is_no_table_of_groups():
    assert figures_of(SUBGROUPS, of_credits({})) == {}


def test_a_column_that_is_gone_is_left_out():
    assert list(figures_of(SUBGROUPS, of_credits({}, ["plan", "sex"]))) == [
        "By plan",
        "How alike plan is treated",
    ]


def test_deleting_what_the_map_names_first_costs_the_score_most():
    train = tiny.pictures(200, 0)
    evaluation = evaluate(tiny.picture_predictor(train), halves(60), train)
    shown = figures_of(SALIENCY, evaluation)
    assert "data:image/png;base64," in shown["Where it looks"].svg
    found = evaluation.views["saliency"]
    assert found["by_effect"][0] == pytest.approx(found["at_random"][0])
    assert found["area"] < found["random_area"]
    assert found["low"] > 0
    assert "matter more than others" in shown["Are the maps right?"].sentence


def test_a_model_that_looks_nowhere_has_maps_that_are_no_better_than_chance():
    train = tiny.pictures(200, 0)
    blind = tiny.picture_predictor(train)
    blind = replace(blind, encoder=Blind(["photo"]))
    shown = figures_of(SALIENCY, evaluate(blind, halves(60), train))
    assert "cannot be told from chance" in shown["Are the maps right?"].sentence


class Blind(tiny.NumberEncoder):
    """Sees the same in every picture."""

    name = "tiny-blind"

    def encode(self, examples, *, cut=False):
        return {"x": np.full((len(examples), 1), 0.4, np.float32)}


def halves(rows):
    """Pictures with a light and a dark half: where the light is, is all there is to see."""
    from servery.data.pixels import png_of

    generator = np.random.default_rng(5)
    cells = []
    for place in range(rows):
        pixels = np.full((1, 16, 16), 20, np.uint8)
        pixels[0, :, : 4 + place % 8] = generator.integers(200, 255)
        cells.append(png_of(pixels))
    tones = ["light" if place % 2 else "dark" for place in range(rows)]
    return tiny.dataset_of({"photo": (tiny.Kind.IMAGE, cells), "tone": (tiny.Kind.CATEGORY, tones)}, "tone")


def test_a_protected_column_is_judged_by_and_never_read():
    train = tiny.credits(300, 0)
    columns = [replace(c, role=Role.PROTECTED) if c.name == "plan" else c for c in train.columns]
    train = train.with_columns(columns)
    test = tiny.credits(300, 1).with_columns(columns)
    assert [column.name for column in train.inputs] == ["debt"]
    evaluation = evaluate(tiny.credit_predictor(train), test, train, facts={"subgroups": ["plan"]})
    assert "the model does not read it" in figures_of(SUBGROUPS, evaluation)["By plan"].sentence
