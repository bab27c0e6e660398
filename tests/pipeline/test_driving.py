"""A file of tracks and the log of a drive in, models made, evaluated and asked: by recordings, never at random."""

from __future__ import annotations

from pathlib import Path

import numpy as np

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
