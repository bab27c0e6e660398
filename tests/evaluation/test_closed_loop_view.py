"""The report's drives: care comes farther than doing nothing, and a road that is not there is told."""

import base64
import io
import json

import msgspec
import numpy as np
import pytest
from PIL import Image

from servery.data.highway import Highway
from servery.data.traffic import rule_action
from servery.errors import MissingExtraError
from servery.evaluation.closed_loop import by_idling, drive
from servery.evaluation.view import Case
from servery.evaluation.views import closed_loop
from servery.evaluation.views.closed_loop import CLOSED_LOOP
from servery.fields._field import find_field
from servery.models.recipe import Budget, Work, find_recipe
from servery.tasks.task import find_task, learnable
from servery.training.trainer import Trainer

FIELD, TASK = "autonomous-driving", "driving-decision"


@pytest.fixture(scope="module")
def case() -> Case:
    sample = find_field(FIELD).offer_for(TASK).sample(200, 0)
    train, test = sample.take(np.arange(140)), sample.take(np.arange(140, 200))
    recipe, budget, task = (
        find_recipe("behaviour-cloning", "table", TASK),
        Budget(None, 1),
        learnable(find_task(TASK)),
    )
    settings = {**recipe.defaults, "hidden_sizes": [16], "epochs": 2}
    work = Work(task, FIELD, train, test, settings, 0, budget, Trainer(None, 0, budget, device="cpu"))
    predictor = recipe.make(work).predictor
    targets = task.encode_targets(test, predictor.signature.labels)
    return Case(predictor, task, test, train, targets, predictor.outputs(list(test.examples())), task)


def test_a_model_is_driven_with_and_without_its_shield_beside_idling_and_chance(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closed_loop, "SAMPLE_DRIVES", 1)
    found = json.loads(json.dumps(msgspec.to_builtins(CLOSED_LOOP.look(case)), allow_nan=False))
    assert [driver["name"] for driver in found["drivers"]] == [
        "this model with its shield",
        "this model alone",
        "doing nothing",
        "doing anything",
    ]
    film = Image.open(io.BytesIO(base64.b64decode(found["gif"])))
    assert film.format == "GIF"
    assert film.n_frames >= 2
    figures = CLOSED_LOOP.figures(found)
    assert [figure.title for figure in figures] == ["What comes of its decisions", "One drive"]
    assert "data:image/gif;base64," in figures[1].svg


def test_equal_seeds_are_equal_drives_and_care_comes_farther_than_nothing() -> None:
    road = Highway()
    idle, careful = (drive(road, decide, range(2)) for decide in (by_idling(), rule_action))
    assert drive(road, by_idling(), [1]).returns[0] == idle.returns[1]
    assert careful.returns.mean() > idle.returns.mean()
    assert (careful.steps <= 30).all()
    rate, low, high = careful.crash_rate
    assert low <= rate <= high


def test_without_the_extra_the_report_says_what_to_install(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise MissingExtraError.named("driving")

    monkeypatch.setattr(closed_loop, "Highway", missing)
    [figure] = CLOSED_LOOP.figures(msgspec.to_builtins(CLOSED_LOOP.look(case)))
    assert "pip install 'servery[driving]'" in figure.sentence
