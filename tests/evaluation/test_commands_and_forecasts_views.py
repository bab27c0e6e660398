"""The report's views of commands and forecasts, on models that cost a second."""

import json

import msgspec
import numpy as np
import pytest

from servery.data.dataset import Dataset
from servery.evaluation.view import Case
from servery.evaluation.views.commands import COMMANDS
from servery.evaluation.views.forecasts import FORECASTS
from servery.fields._field import find_field
from servery.models.predictor import Predictor
from servery.models.recipe import Budget, Work, find_recipe
from servery.tasks.task import find_task, learnable
from servery.training.trainer import Trainer


def made(field: str, task: str, form: str, recipe: str) -> tuple[Predictor, Dataset, Dataset]:
    sample = find_field(field).offer_for(task).sample(200, 0)
    train, test = sample.take(np.arange(140)), sample.take(np.arange(140, 200))
    known, budget = find_recipe(recipe, form, task), Budget(None, 1)
    asked = learnable(find_task(task))
    asked = asked.with_labels(asked.labels_of(train))
    loop = Trainer(None, 0, budget, device="cpu")
    predictor = known.make(Work(asked, field, train, test, dict(known.defaults), 0, budget, loop)).predictor
    outputs = predictor.outputs(list(test.examples()))
    targets = learnable(predictor.task).encode_targets(test, predictor.signature.labels)
    return predictor.calibrated(learnable(predictor.task).calibrate(targets, outputs)), train, test


def case_of(predictor: Predictor, train: Dataset, test: Dataset) -> Case:
    task = learnable(predictor.task)
    targets = task.encode_targets(test, predictor.signature.labels)
    return Case(predictor, task, test, train, targets, predictor.outputs(list(test.examples())), task)


def seen(view, case):
    found = msgspec.to_builtins(view.look(case))
    return json.loads(json.dumps(found, allow_nan=False))


def test_commands_are_told_by_script_and_slot_and_mistakes_stay_texts() -> None:
    case = case_of(*made("smart-home", "command-understanding", "text", "tfidf-linear"))
    found = seen(COMMANDS, case)
    assert {script["script"] for script in found["scripts"]} == {"Latin", "Chinese"}
    assert sum(script["rows"] for script in found["scripts"]) == 60
    slots = {slot["slot"]: slot for slot in found["slots"]}
    assert slots["area"]["filled"] == 0, "the baseline fills no slot from the text"
    assert slots["domain"]["f1"] > 0.5
    found["mistakes"][0]["text"] = "<b>on"
    shown = COMMANDS.figures(found)
    assert [figure.title for figure in shown] == ["By script", "By slot", "What was misunderstood"]
    assert "&lt;b&gt;on" in shown[2].svg


@pytest.fixture(scope="module")
def naive():
    return case_of(*made("smart-city", "forecasting", "series", "seasonal-naive"))


def test_the_naive_forecast_is_as_good_as_the_naive_forecasts_at_every_step(naive: Case) -> None:
    found = seen(FORECASTS, naive)
    errors = found["errors"]
    assert errors.keys() == {"this model", "last reading", "a season before"}
    for own, last, season in zip(*errors.values(), strict=True):
        # Readings that are missing are filled by the model only.
        assert min(abs(own - last), abs(own - season)) < 0.5
    assert len(found["coverage"]["by_step"]) == 12
    assert [row["line"] for row in found["rows"]]


def test_forecasts_are_drawn_with_bands_and_without(naive: Case) -> None:
    found = seen(FORECASTS, naive)
    titles = [figure.title for figure in FORECASTS.figures(found)]
    assert titles[:2] == ["Error by step, beside the naive forecasts", "Do the bands hold what they promise?"]
    assert len(titles) == 5
    bare = {**found, "coverage": {}, "rows": [{**row, "half": []} for row in found["rows"]]}
    assert len(FORECASTS.figures(bare)) == 4
