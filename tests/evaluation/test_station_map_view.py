"""The report's map of the stations: where they lie, what was forecast there, whose silence is felt."""

import json

import msgspec
import numpy as np
import pytest

from servery.evaluation.view import Case
from servery.evaluation.views.station_map import STATION_MAP
from servery.fields._field import find_field
from servery.models.predictor import Predictor
from servery.models.recipe import Budget, Work, find_recipe
from servery.tasks.task import find_task, learnable
from servery.training.trainer import Trainer


def learned(recipe_name: str, **changes: object) -> Case:
    sample = find_field("smart-city").offer_for("forecasting").sample(240, 0)
    train, test = sample.take(np.arange(180)), sample.take(np.arange(180, 240))
    recipe, budget, task = (
        find_recipe(recipe_name, "series", "forecasting"),
        Budget(None, 1),
        find_task("forecasting"),
    )
    loop = Trainer(None, 0, budget, device="cpu")
    work = Work(learnable(task), "smart-city", train, test, {**recipe.defaults, **changes}, 0, budget, loop)
    predictor: Predictor = recipe.make(work).predictor
    outputs = predictor.outputs(list(test.examples()))
    targets = learnable(task).encode_targets(test, ())
    return Case(predictor, learnable(task), test, train, targets, outputs, learnable(task))


@pytest.fixture(scope="module")
def case() -> Case:
    return learned("graph-temporal", epochs=2, hidden_size=8, graph_size=8, average_decay=0.0)


def test_every_station_is_on_the_map_with_its_forecast_and_arrows_to_whom_it_is_felt(case: Case) -> None:
    found = json.loads(json.dumps(msgspec.to_builtins(STATION_MAP.look(case)), allow_nan=False))
    assert [place["name"] for place in found["places"]] == ["Harbour", "Market", "Old Town"]
    assert not found["is_map"]
    assert all(edge["change"] > 0 and edge["silent"] != edge["there"] for edge in found["felt"])
    [figure] = STATION_MAP.figures(found)
    assert "no coordinates were given" in figure.sentence
    assert "Harbour" in figure.svg


def test_a_model_without_a_graph_has_no_map() -> None:
    assert not STATION_MAP.figures(msgspec.to_builtins(STATION_MAP.look(learned("seasonal-naive"))))


def test_a_silent_or_unknown_station_is_answered_all_the_same(case: Case) -> None:
    example = case.test.example(0)
    silent = {**example, "pm25@Harbour": None, "pm25@Market": None, "pm25@Old Town": None}
    unknown = {**example, "station": "Airport"}
    usual, without, elsewhere = case.predictor.predict([example, silent, unknown])
    assert len({usual.values, without.values, elsewhere.values}) == 3
    assert np.isfinite([*without.values, *elsewhere.values]).all()
