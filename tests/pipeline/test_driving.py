"""A file of tracks and the log of a drive in, models made, evaluated and asked: by recordings, never at random."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from servery.data.traffic import COLUMNS
from servery.errors import MissingExtraError
from servery.fields._field import find_field
from servery.pipeline.local import load
from servery.pipeline.plan import Plan
from servery.pipeline.train import Trained, train
from servery.pipeline.workspace import Workspace


def learned(folder: Path, data: Path, task: str, recipe: str) -> tuple[Trained, Workspace]:
    workspace = Workspace.open(folder / "home")
    plan = Plan("driver", "autonomous-driving", str(data), task=task, recipe=recipe, threads=1)
    return train(plan, workspace), workspace


def page_of(made: Trained) -> str:
    return (made.version.folder / "report.html").read_text(encoding="utf-8")


def test_tracks_are_parted_by_recording_and_every_agent_is_answered(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    lines = ["scene,frame,agent,x,y"]
    for place in range(24):
        for agent in range(4):
            bend, first = chance.normal(0, 0.05), int(chance.integers(0, 10))
            heading = chance.uniform(0, 6) + bend * np.arange(30)
            points = 0.5 * np.stack([np.cos(heading), np.sin(heading)], axis=1).cumsum(axis=0) + 3 * agent
            lines += [
                f"s{place},{10 * (first + n)},{agent},{x:.3f},{y:.3f}" for n, (x, y) in enumerate(points)
            ]
    (tmp_path / "tracks.csv").write_text("\n".join(lines))
    made, workspace = learned(tmp_path, tmp_path / "tracks.csv", "trajectory-prediction", "constant-velocity")
    assert made.evaluation.is_trustworthy
    assert "rows of one recording stay together" in page_of(made)
    metrics = {metric.name: metric.value for metric in made.evaluation.metrics}
    assert metrics["ade_best_of_20"] < metrics["ade"] < metrics["fde"]
    assert len(made.evaluation.views["tracks"]["horizons"]) == 12
    scene = {"step_seconds": 0.4, "agents": [{"positions_m": [[0, 0], [1, 0]]}, {"positions_m": [[5, 5]]}]}
    [answer] = load("driver", workspace)(scene, num_modes=2).outputs
    assert [len(agent["positions_m"]) for agent in answer["agents"]] == [12, 12]
    assert list(answer["agents"][0]["positions_m"][-1]) == [13, 0]


def test_a_log_of_a_drive_is_parted_by_time(tmp_path: Path) -> None:
    times = 0.05 * np.arange(2400)
    angles = 0.3 * np.sin(times) + 0.1 * np.sin(2.7 * times)
    rows = (f"{time:.2f},{angle:.5f}" for time, angle in zip(times, angles, strict=True))
    (tmp_path / "log.csv").write_text("\n".join(["seconds,angle", *rows]))
    made, workspace = learned(tmp_path, tmp_path / "log.csv", "regression", "linear")
    assert "the last rows by at are the test part" in page_of(made)
    assert made.evaluation.primary.value > 0.9
    example = {
        "angle": 0.1,
        **dict.fromkeys((f"change_{ms}_ms" for ms in (50, 100, 200, 400, 800, 1600)), 0.0),
    }
    [answer] = load("driver", workspace)(example).outputs
    assert answer["low"] < answer["value"] < answer["high"]


def test_demonstrations_are_cloned_and_asked_where_no_road_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "highway_env", None)
    workspace = Workspace.open(tmp_path / "home")
    plan = Plan(
        "driver",
        "autonomous-driving",
        "driving-sample",
        task="driving-decision",
        recipe="behaviour-cloning",
        threads=1,
        export=False,
        hyperparameters={"epochs": 3, "hidden_sizes": [16]},
    )
    made = train(plan, workspace)
    assert "pip install &#39;servery[driving]&#39;" in page_of(made)
    example = {**dict.fromkeys(COLUMNS), "y_m": 4.0, "speed_ms": 25.0, "sideways_ms": 0.0}
    near = {"ahead_m_1": 22.0, "beside_m_1": 0.0, "closing_ms_1": -6.0, "crossing_ms_1": 0.0}
    said = load("driver", workspace)([example, {**example, **near}])
    free, shut = said.outputs
    assert not free["refused"]
    assert free["action"] == free["label"]
    assert tuple(shut["refused"]) == ("IDLE", "FASTER")
    assert shut["action"] in {"LANE_LEFT", "LANE_RIGHT", "SLOWER"}
    assert "Research use only" in str(said)
    with pytest.raises(MissingExtraError, match="driving"):
        train(plan.with_changes(recipe="dqn", hyperparameters={}), workspace)


def test_the_offer_s_example_is_a_moment_that_the_shield_looks_at() -> None:
    assert find_field("autonomous-driving").offer_for("driving-decision").example.keys() == set(COLUMNS)
