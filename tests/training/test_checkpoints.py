"""Checkpoints that are torn, altered or another run's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from servery.errors import ArtifactError, InterruptedTrainingError, StorageError, TrainingError
from servery.training.checkpoint import Checkpoint, CheckpointFolder
from servery.training.trainer import Trainer

PLAIN = {"learning_rate": 0.02, "batch_size": 16, "epochs": 3, "average_decay": 0.9}


class Notes:
    def __init__(self) -> None:
        self.said: list[str] = []

    def update(self, stage: str, done: float, total: float, note: str = "") -> None:
        pass

    def say(self, heading: str, text: str) -> None:
        self.said.append(f"{heading}: {text}")


def stopped_run(tiny: ModuleType, folder: Path, **settings: Any) -> None:
    """Train for eleven steps, inside the second epoch, and stop with a checkpoint."""

    class Stopping(tiny.Accuracy):
        steps = 0

        def loss(self, network: Any, inputs: Any, targets: Any) -> Any:
            self.steps += 1
            if self.steps == 11:
                trainer.stop()
            return super().loss(network, inputs, targets)

    trainer = Trainer(folder, device="cpu", **settings)
    with pytest.raises(InterruptedTrainingError):
        trainer.fit(tiny.build_network(), tiny.Sentences(), Stopping(tiny.Sentences(60, 1)), PLAIN)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)


def remove(path: Path) -> None:
    path.unlink()


def scribble(path: Path) -> None:
    path.write_text("{}")


@pytest.mark.parametrize("damage", [cut, flip, remove])
@pytest.mark.parametrize("part", ["training", "best"])
def test_a_torn_checkpoint_is_told_of_and_never_used(
    tiny: ModuleType, tmp_path: Path, part: str, damage: Callable[[Path], None]
) -> None:
    stopped_run(tiny, tmp_path)
    damage(next((tmp_path / "fit-0").glob(f"{part}-*.safetensors")))
    notes, network, whole = Notes(), tiny.build_network(), tiny.build_network()
    objective = tiny.Accuracy(tiny.Sentences(60, 1))
    Trainer(tmp_path, device="cpu", progress=notes).fit(network, tiny.Sentences(), objective, PLAIN)
    Trainer(device="cpu").fit(whole, tiny.Sentences(), objective, PLAIN)
    assert "torn" in notes.said[0]
    assert "starts from the beginning" in notes.said[0]
    for name, value in whole.state_dict().items():
        assert torch.equal(value, network.state_dict()[name])


@pytest.mark.parametrize("damage", [cut, scribble])
def test_a_torn_index_is_told_of(tiny: ModuleType, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    stopped_run(tiny, tmp_path)
    damage(tmp_path / "fit-0" / "checkpoint.json")
    with pytest.raises(ArtifactError, match="torn"):
        CheckpointFolder(tmp_path / "fit-0").load({})


@pytest.mark.parametrize(
    ("what", "settings", "hyperparameters", "rows"),
    [
        ("seed", {"seed": 1}, {}, 120),
        ("identity", {"identity": "other data"}, {}, 120),
        ("hyperparameters", {}, {"learning_rate": 0.01}, 120),
        ("data", {}, {}, 119),
    ],
)
def test_another_runs_checkpoint_is_refused(
    tiny: ModuleType,
    tmp_path: Path,
    what: str,
    settings: dict[str, Any],
    hyperparameters: dict[str, Any],
    rows: int,
) -> None:
    stopped_run(tiny, tmp_path)
    trainer = Trainer(tmp_path, device="cpu", **settings)
    objective = tiny.Accuracy(tiny.Sentences(60, 1))
    with pytest.raises(TrainingError, match=f"belongs to another training: {what}"):
        trainer.fit(tiny.build_network(), tiny.Sentences(rows), objective, PLAIN | hyperparameters)


def test_another_networks_checkpoint_is_refused(tiny: ModuleType, tmp_path: Path) -> None:
    stopped_run(tiny, tmp_path)
    network = tiny.build_network()
    network.out = torch.nn.Linear(12, 4)
    with pytest.raises(TrainingError, match="another training: network"):
        Trainer(tmp_path, device="cpu").fit(
            network, tiny.Sentences(), tiny.Accuracy(tiny.Sentences(60, 1)), PLAIN
        )


def test_an_index_cannot_point_outside_its_folder(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "run")
    folder.save(Checkpoint({}, {}, 1, training={"w": torch.ones(2)}))
    (tmp_path / "run" / "training-000000001.safetensors").rename(tmp_path / "stolen.safetensors")
    index = json.loads((tmp_path / "run" / "checkpoint.json").read_text())
    index["files"]["training"]["name"] = "../stolen.safetensors"
    (tmp_path / "run" / "checkpoint.json").write_text(json.dumps(index))
    with pytest.raises(ArtifactError, match="not the name of a file"):
        folder.load({})


def test_a_folder_holds_the_newest_checkpoint_and_nothing_else(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path)
    (tmp_path / "training-000000001.safetensors.partial").write_bytes(b"left by a kill")
    for step in (1, 2, 3):
        folder.save(
            Checkpoint(
                {"seed": "0"}, {"n": step}, step, {"w": torch.full((2,), float(step))}, {"w": torch.ones(2)}
            )
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "best-000000000.safetensors",
        "checkpoint.json",
        "training-000000003.safetensors",
    ]
    loaded = CheckpointFolder(tmp_path).load({"seed": "0"})
    assert loaded is not None
    assert loaded.state == {"n": 3}
    assert loaded.training["w"].tolist() == [3.0, 3.0]


def test_a_disk_that_refuses_costs_the_checkpoint_and_not_the_training(
    tiny: ModuleType, tmp_path: Path
) -> None:
    (tmp_path / "fit-0").write_text("a file where the folder should be")
    notes = Notes()
    trainer = Trainer(tmp_path, device="cpu", progress=notes, checkpoint_every_steps=10)
    with pytest.raises(StorageError, match="could not be written"):
        trainer.fit(tiny.build_network(), tiny.Sentences(), tiny.Accuracy(tiny.Sentences(60, 1)), PLAIN)
    # Two refusals on the way; only the last checkpoint, which would be the result, is an error.
    assert len([line for line in notes.said if "goes on without it" in line]) == 2
