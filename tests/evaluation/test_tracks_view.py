"""The report's view of tracks: errors of every step, and scenes from the best told to the worst."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pytest

from servery.evaluation.view import Case
from servery.evaluation.views.tracks import TRACKS
from servery.fields.offers.autonomous_driving_trajectories import sample
from servery.models.encoders.scenes import Scenes
from servery.models.predictor import Predictor
from servery.models.runtimes.constant_velocity import ConstantVelocity
from servery.models.signature import Signature
from servery.tasks.regression import REGRESSION
from servery.tasks.task import Calibration
from servery.tasks.trajectory_prediction import TRAJECTORY_PREDICTION


@pytest.fixture
def found() -> Any:
    rows = sample(12, 0)
    targets = TRAJECTORY_PREDICTION.encode_targets(rows, ())
    runtime = ConstantVelocity.fit(targets, 2, 1.0, 0)
    signature = Signature("trajectory-prediction", "test", rows.inputs, (), "futures")
    predictor = Predictor(signature, Scenes("scene", 8, 0.4), runtime, Calibration(), "constant-velocity")
    outputs = predictor.outputs(list(rows.examples()))
    case = Case(predictor, TRAJECTORY_PREDICTION, rows, rows, targets, outputs, TRAJECTORY_PREDICTION)
    seen = msgspec.json.decode(msgspec.json.encode(TRACKS.look(case)))
    return seen, TRAJECTORY_PREDICTION.measure(targets, outputs, Calibration())


def test_the_last_step_is_the_final_error_and_the_mean_of_all_is_the_mean_error(found: Any) -> None:
    seen, measured = found
    guessed = [horizon["best_guess"] for horizon in seen["horizons"]]
    assert guessed[-1] == pytest.approx(measured["fde"])
    assert np.mean(guessed) == pytest.approx(measured["ade"])
    assert seen["horizons"][-1]["seconds"] == pytest.approx(4.8)
    assert [h["constant_velocity"] for h in seen["horizons"]] == pytest.approx(guessed, abs=1e-3)


def test_scenes_go_from_the_best_told_to_the_worst_and_each_is_drawn(found: Any) -> None:
    seen, _ = found
    errors = [scene["ade"] for scene in seen["scenes"]]
    assert len(errors) == 4
    assert errors == sorted(errors)
    curve, pictures = TRACKS.figures(seen)
    assert len(curve.rows) == 12
    assert pictures.svg.count("<svg") == 4
    assert f"line {seen['scenes'][-1]['line']}" in pictures.sentence


def test_other_tasks_have_no_such_view() -> None:
    assert TRACKS.accepts(TRAJECTORY_PREDICTION)
    assert not TRACKS.accepts(REGRESSION)
