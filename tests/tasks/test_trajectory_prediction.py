"""Trajectory prediction: errors by hand, radii that hold what they promise, targets that cannot be."""

from __future__ import annotations

import json

import numpy as np
import pytest

from servery.data.building import build_dataset
from servery.data.raw_table import RawTable, object_array
from servery.data.scenes import Scene
from servery.errors import DataError
from servery.metrics.resampling import bootstrap
from servery.tasks.task import Calibration
from servery.tasks.trajectory_prediction import TRAJECTORY_PREDICTION as TASK
from servery.tasks.trajectory_prediction import TrajectoryParameters


def target(now, step, *ahead):
    return np.array([now, step, *ahead], np.float64)


def line(number, *points):
    return np.array([number, *np.ravel(points)], np.float32)


def rows(*values):
    return object_array(values)


def dataset(cells):
    scene = str(Scene(0.4, ("a",), np.array([[[0.0, 0.0], [1.0, 0.0]]])))
    raw = RawTable(
        {
            "scene": object_array([scene] * len(cells)),
            "futures": object_array([json.dumps(c) for c in cells]),
        },
        np.arange(1, len(cells) + 1),
    )
    kinds = {"scene": "scene", "futures": "tracks"}
    return build_dataset(raw, "tracks", target="futures", kinds=kinds, roles={"scene": "input"})


def test_errors_are_those_counted_by_hand():
    # It went 3 m ahead and 4 m aside; the guess is straight on, the second mode right at the last step.
    truth = np.stack([target((0, 0), (1, 0), (1, 0), (3, 4))])
    outputs = np.stack([[line(1, (1, 0), (3, 0)), line(0, (9, 9), (9, 9)), line(-1, (1, 3), (3, 4))]])
    measured = TASK.measure(rows(truth), rows(outputs), Calibration())
    assert measured["ade"] == pytest.approx(2.0)
    assert measured["fde"] == pytest.approx(4.0)
    assert measured["ade_best_of_20"] == pytest.approx(1.5)
    assert measured["fde_best_of_20"] == 0
    assert measured["miss_rate"] == 1
    steady = np.mean([0, np.hypot(1, 4)])
    assert measured["skill"] == pytest.approx(1 - 2.0 / steady)


def test_collisions_are_among_predicted_tracks_of_all_who_are_there():
    gone = np.full((4, 2), np.nan)
    truth = np.stack([target((0, 0), (1, 0), (1, 0), (2, 0)), target((4, 0.1), (0, 0), *gone[:2]), gone])
    straight = [line(1, (1, 0), (2, 0))]
    back = [line(1, (-1, 0), (-2, 0))]
    none = [line(0, (0, 0), (0, 0))]
    measured = TASK.measure(rows(truth), rows(np.stack([straight, back, none])), Calibration())
    assert measured["collision_rate"] == 1.0
    assert measured["ade"] == 0
    apart = TASK.measure(rows(truth), rows(np.stack([straight, none, none])), Calibration())
    assert apart["collision_rate"] == 0.0


def test_the_radius_holds_its_share_of_whole_tracks():
    chance = np.random.default_rng(0)
    truths = chance.normal(0, 1, (2000, 1, 5, 2)).cumsum(axis=2)
    truths[:, :, :2] = 0
    outputs = np.zeros((2000, 1, 1, 7), np.float32)
    calibration = TASK.calibrate(rows(*truths[:1000]), outputs[:1000])
    measured = TASK.measure(rows(*truths[1000:]), outputs[1000:], calibration)
    assert measured["track_coverage_90"] == pytest.approx(0.9, abs=0.03)
    [answer] = TASK.decode(outputs[:1], (), calibration, TrajectoryParameters(coverage=0.9))
    assert answer.agents[0].radius_m[-1] == pytest.approx(measured["final_radius_90"])


def test_resampled_rows_are_measured_from_their_sums():
    chance = np.random.default_rng(1)
    truths = [
        np.concatenate([np.zeros((n, 2, 2)), chance.normal(size=(n, 3, 2))], axis=1) for n in (1, 3, 2, 4)
    ]
    outputs = chance.normal(size=(4, 4, 2, 7)).astype(np.float32)
    judgement = TASK.judge(rows(*truths), outputs, Calibration())
    some = np.array([0, 2, 2])
    again = TASK.measure(rows(*(truths[i] for i in some)), outputs[some], Calibration())
    assert judgement.measure(some) == pytest.approx(again)
    assert judgement.primary(some) == pytest.approx(again["skill"])
    assert set(bootstrap(judgement.measure, 4, seed=0)) <= set(again)


def test_targets_are_relative_to_now_and_torn_ones_are_named():
    encoded = TASK.encode_targets(dataset([[[[2, 0], [3, 1]]]]), ())
    assert encoded[0][0].tolist() == [[1, 0], [1, 0], [1, 0], [2, 1]]
    for cells, words in (
        ([[[[2, 0]]], [[[2, 0], [3, 0]]]], "same number"),
        ([[[[2, 0]], None]], "list of 1 tracks"),
        ([[[[2, "x"]]]], "Line 1"),
    ):
        with pytest.raises(DataError, match=words):
            TASK.encode_targets(dataset(cells), ())
