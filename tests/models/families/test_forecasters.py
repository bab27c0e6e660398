"""Forecasters on a wave of a day: the naive one repeats it, trees keep to their time, one reading is enough."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from servery.data.building import build_dataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.data.series import pack
from servery.data.series_files import SeriesLayout
from servery.errors import DataError
from servery.models.recipe import Budget, find_recipe
from servery.tasks.forecasting import readings_in


@pytest.fixture(scope="module")
def wave() -> Dataset:
    hours = np.arange(24 * 12)
    times = np.datetime64("2026-01-01", "ns") + hours * np.timedelta64(1, "h")
    readings = 50 + 20 * np.sin(hours / 24 * 2 * np.pi)
    raw = RawTable({"time": object_array(list(times)), "value": object_array(readings.tolist())}, hours + 2)
    rows = SeriesLayout(past=48, horizon=24, stride=1).rows(raw, "wave")
    kinds = {"origin": "time", "now": "time", "value": "series", "future": "series"}
    return build_dataset(rows, "wave", target="future", kinds=kinds, roles={"origin": "time", "now": "input"})


def learned(wave: Dataset, recipe: str, make_work: Callable[..., Any], **settings: Any) -> Any:
    train, held_out = wave.take(np.arange(120)), wave.take(np.arange(120, 160))
    return make_work(find_recipe(recipe, "series", "forecasting"), "forecasting", train, held_out, **settings)


def test_the_naive_forecast_of_a_wave_of_a_day_is_that_of_yesterday(
    wave: Dataset, make_work: Callable[..., Any]
) -> None:
    recipe = find_recipe("seasonal-naive", "series", "forecasting")
    predictor = recipe.make(learned(wave, "seasonal-naive", make_work)).predictor
    asked = wave.take(np.arange(160, 180))
    said = readings_in(predictor.outputs(list(asked.examples())))
    assert np.allclose(said, predictor.task.encode_targets(asked, ()), atol=1e-3)
    assert [column.name for column in predictor.signature.inputs] == ["value"]


def test_a_season_of_no_reading_is_refused(wave: Dataset, make_work: Callable[..., Any]) -> None:
    work = learned(wave, "seasonal-naive", make_work, season=0)
    with pytest.raises(DataError, match="season is 0"):
        find_recipe("seasonal-naive", "series", "forecasting").make(work)


def test_trees_stop_in_time_and_answer_all_steps(wave: Dataset, make_work: Callable[..., Any]) -> None:
    work = replace(
        learned(wave, "gradient-boosting", make_work, rounds=5000, patience=5000, learning_rate=0.001),
        budget=Budget(0.5, 1),
    )
    made = find_recipe("gradient-boosting", "series", "forecasting").make(work)
    assert made.stopped == "deadline"
    [answer] = made.predictor.predict([wave.example(170)])
    assert len(answer.values) == 24
    assert all(np.isfinite(answer.values))


@pytest.mark.parametrize("recipe", ["seasonal-naive", "gradient-boosting"])
def test_one_reading_is_enough_and_stays_near(
    wave: Dataset, recipe: str, make_work: Callable[..., Any]
) -> None:
    predictor = find_recipe(recipe, "series", "forecasting").make(learned(wave, recipe, make_work)).predictor
    example = {**wave.example(170), "value": pack([60.0])}
    [answer] = predictor.predict([example])
    assert answer.readings == 1
    assert predictor.task.notices([answer])
    assert 20 < min(answer.values) <= max(answer.values) < 90
