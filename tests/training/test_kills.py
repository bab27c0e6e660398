"""Real processes, really killed: what they learn must not depend on it."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from servery.training.checkpoint import CheckpointFolder

ADAMW = {
    "optimizer": "adamw",
    "learning_rate": 0.02,
    "batch_size": 16,
    "epochs": 6,
    "average_decay": 0.9,
    "gradient_clip": 1.0,
    "warmup_share": 0.1,
}
SGD = {
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "batch_size": 16,
    "epochs": 6,
    "accumulation_steps": 2,
    "precision": "bfloat16",
    "patience": 4,
}


def results(weights: Path) -> tuple[bytes, str]:
    return weights.read_bytes(), weights.with_suffix(".json").read_text()


def wait_for(path: Path) -> None:
    while not path.exists():
        time.sleep(0.01)


def steps_saved(run_folder: Path) -> int:
    """Return how far the checkpoint is that a kill left; raises if it left a torn one."""
    index = run_folder / "fit-0" / "checkpoint.json"
    if not index.exists():
        return 0
    checkpoint = CheckpointFolder(index.parent).load(json.loads(index.read_text())["belongs_to"])
    assert checkpoint is not None
    return checkpoint.step


def run_under_fire(
    nursery: Any, folder: Path, hyperparameters: dict[str, Any], kills_wanted: int, seed: int
) -> None:
    """Kill trainings at random moments until enough kills hit, and compare every training that ended."""
    moments = random.Random(seed)
    start = time.monotonic()
    whole = folder / "whole.safetensors"
    assert nursery.run(run_folder=folder / "whole", weights=whole, hyperparameters=hyperparameters) == 0
    seconds = time.monotonic() - start
    kills = number = 0
    while kills < kills_wanted:
        number += 1
        order = {
            "run_folder": folder / f"run-{number}",
            "weights": folder / f"run-{number}.safetensors",
            "hyperparameters": hyperparameters,
        }
        exit_code = -signal.SIGKILL
        while exit_code == -signal.SIGKILL:
            pid = nursery.start(**order)
            if kills < kills_wanted:
                time.sleep(moments.uniform(0.0, seconds / 2))
                os.kill(pid, signal.SIGKILL)
            exit_code = nursery.wait()
            kills += exit_code == -signal.SIGKILL
            steps_saved(order["run_folder"])
        assert exit_code == 0
        assert results(order["weights"]) == results(whole)


@pytest.mark.parametrize("hyperparameters", [ADAMW, SGD], ids=["adamw", "sgd"])
def test_a_killed_run_ends_with_the_same_weights_and_history(
    nursery: Any, tmp_path: Path, hyperparameters: dict[str, Any]
) -> None:
    run_under_fire(nursery, tmp_path, hyperparameters, kills_wanted=5, seed=1)


@pytest.mark.chaos
@pytest.mark.parametrize("hyperparameters", [ADAMW, SGD], ids=["adamw", "sgd"])
def test_thirty_kills_change_nothing(nursery: Any, tmp_path: Path, hyperparameters: dict[str, Any]) -> None:
    run_under_fire(nursery, tmp_path, hyperparameters, kills_wanted=30, seed=2)


def test_a_kill_at_any_place_inside_a_save_changes_nothing(nursery: Any, tmp_path: Path) -> None:
    hyperparameters = {**ADAMW, "epochs": 2}
    whole = tmp_path / "whole.safetensors"
    assert nursery.run(run_folder=tmp_path / "whole", weights=whole, hyperparameters=hyperparameters) == 0
    # The first save flushes four times, file and folder of the weights and of the index; the second comes after
    # a validation and flushes the best weights too, which makes ten.
    for number in range(1, 12):
        order = {
            "run_folder": tmp_path / f"run-{number}",
            "weights": tmp_path / f"run-{number}.safetensors",
            "hyperparameters": hyperparameters,
            "every_steps": 6,
        }
        assert nursery.run(**order, die_at_fsync=number) == -signal.SIGKILL
        # The folder's flush comes after the rename, so that the new index counts from there on.
        assert steps_saved(order["run_folder"]) == (0 if number < 4 else 6 if number < 10 else 12)
        assert nursery.run(**order) == 0
        assert results(order["weights"]) == results(whole)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("slow", ["slow_step", "slow_validation"])
def test_a_signal_saves_and_leaves_with_exit_code_130(
    nursery: Any, tmp_path: Path, number: int, slow: str
) -> None:
    hyperparameters = {**ADAMW, "epochs": 3}
    order = {"run_folder": tmp_path / "run", "weights": tmp_path / "a.safetensors", "every_steps": 0}
    mark = tmp_path / "begun"
    pid = nursery.start(**order, hyperparameters=hyperparameters, mark=mark, **{slow: 0.3})
    wait_for(mark)
    os.kill(pid, number)
    assert nursery.wait() == 130
    index = json.loads((tmp_path / "run" / "fit-0" / "checkpoint.json").read_text())
    assert index["step"] > 0
    assert nursery.run(**order, hyperparameters=hyperparameters) == 0
    whole = tmp_path / "whole.safetensors"
    assert nursery.run(run_folder=tmp_path / "whole", weights=whole, hyperparameters=hyperparameters) == 0
    assert results(order["weights"]) == results(whole)


def test_a_second_signal_is_obeyed_at_once(nursery: Any, tmp_path: Path) -> None:
    order = {"run_folder": tmp_path / "run", "weights": tmp_path / "a.safetensors", "hyperparameters": ADAMW}
    mark = tmp_path / "begun"
    pid = nursery.start(**order, slow_step=10.0, mark=mark)
    wait_for(mark)
    os.kill(pid, signal.SIGTERM)
    time.sleep(0.5)
    os.kill(pid, signal.SIGTERM)
    assert nursery.wait() == -signal.SIGTERM
