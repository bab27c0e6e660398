"""Deadlines: kept on a clock, with the best model in hand."""

from __future__ import annotations

import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from servery.errors import InterruptedTrainingError
from servery.models.recipe import Budget
from servery.training.clock import Clock
from servery.training.trainer import Trainer

LONG = {"learning_rate": 0.02, "batch_size": 16, "epochs": 1000}


@pytest.mark.parametrize(
    ("slow_step", "slow_validation"), [(0.03, 0.3), (0.6, 0.6)], ids=["many epochs", "inside the first epoch"]
)
def test_a_deadline_is_kept_within_five_percent(
    tiny: ModuleType, slow_step: float, slow_validation: float
) -> None:
    objective = tiny.Accuracy(tiny.Sentences(60, 1), slow_step, slow_validation)
    for _ in range(3):
        trainer = Trainer(budget=Budget(deadline_seconds=4.0), device="cpu")
        start = time.monotonic()
        learned = trainer.fit(tiny.build_network(), tiny.Sentences(), objective, LONG)
        seconds = time.monotonic() - start
        assert learned.stopped == "deadline"
        assert learned.history[-1]["accuracy"] > 0
        # A step that would not fit is not begun, so the end may come a step and its validation early.
        assert seconds >= 4.0 * 0.95 - 1.6 * slow_step - 1.2 * slow_validation
        # A busy machine may hold one step up for longer than the five percent; it will not three times.
        if seconds <= 4.0 * 1.05:
            return
    pytest.fail(f"the last of three runs took {seconds:.2f} s of 4 s")


def test_a_deadline_shorter_than_a_step_still_gives_a_validated_model(tiny: ModuleType) -> None:
    objective = tiny.Accuracy(tiny.Sentences(60, 1), slow_step=0.05)
    trainer = Trainer(budget=Budget(deadline_seconds=0.001), device="cpu")
    learned = trainer.fit(tiny.build_network(), tiny.Sentences(), objective, LONG)
    assert learned.stopped == "deadline"
    assert learned.best_epoch == 1
    assert learned.history[0]["step"] == 1
    assert "accuracy" in learned.history[0]


def test_the_best_model_so_far_is_handed_back(tiny: ModuleType) -> None:
    class Falling(tiny.Accuracy):
        calls = 0

        def validate(self, network: Any) -> dict[str, float]:
            self.calls += 1
            if self.calls == 1:
                self.best = {name: value.clone() for name, value in network.state_dict().items()}
            return {"accuracy": 1.0 / self.calls}

    network, objective = tiny.build_network(), Falling(tiny.Sentences(60, 1), slow_step=0.005)
    trainer = Trainer(budget=Budget(deadline_seconds=1.0), device="cpu")
    learned = trainer.fit(network, tiny.Sentences(), objective, LONG)
    assert learned.best_epoch == 1
    assert objective.calls > 2
    assert all(torch.equal(value, objective.best[name]) for name, value in network.state_dict().items())


def test_an_ample_deadline_changes_no_weight(tiny: ModuleType) -> None:
    networks = []
    for deadline_seconds in (None, 600.0):
        network, objective = tiny.build_network(), tiny.Accuracy(tiny.Sentences(60, 1))
        trainer = Trainer(budget=Budget(deadline_seconds), device="cpu")
        assert trainer.fit(network, tiny.Sentences(), objective, LONG | {"epochs": 4}).stopped == "epochs"
        networks.append(network.state_dict())
    assert all(torch.equal(networks[0][name], networks[1][name]) for name in networks[0])


def test_the_learning_rate_falls_with_the_clock_when_the_steps_will_not_be_done(tiny: ModuleType) -> None:
    objective = tiny.Accuracy(tiny.Sentences(60, 1), slow_step=0.01)
    trainer = Trainer(budget=Budget(deadline_seconds=1.5), device="cpu")
    options = LONG | {"warmup_share": 0.0}
    learned = trainer.fit(tiny.build_network(), tiny.Sentences(), objective, options)
    # By steps alone a hundredth of the cosine would be over, and the rate still at its peak.
    assert learned.history[-1]["learning_rate"] < 0.5 * LONG["learning_rate"]


def test_time_of_earlier_attempts_counts(tiny: ModuleType, tmp_path: Path) -> None:
    budget = Budget(deadline_seconds=3.0)

    class Stopping(tiny.Accuracy):
        begin = 0.0

        def loss(self, network: Any, inputs: Any, targets: Any) -> Any:
            if time.monotonic() - self.begin > 1.8:
                trainer.stop()
            return super().loss(network, inputs, targets)

    trainer = Trainer(tmp_path, budget=budget, device="cpu")
    objective = Stopping(tiny.Sentences(60, 1), slow_step=0.02)
    objective.begin = time.monotonic()
    with pytest.raises(InterruptedTrainingError):
        trainer.fit(tiny.build_network(), tiny.Sentences(), objective, LONG)
    start = time.monotonic()
    again = Trainer(tmp_path, budget=budget, device="cpu").fit(
        tiny.build_network(), tiny.Sentences(), tiny.Accuracy(tiny.Sentences(60, 1), slow_step=0.02), LONG
    )
    assert again.stopped == "deadline"
    assert 0.5 < time.monotonic() - start < 1.5
    assert again.history[-1]["seconds"] == pytest.approx(3.0, abs=0.3)


def test_the_first_twentieth_of_a_deadline_does_not_move_the_schedule() -> None:
    clock = Clock(100.0)
    assert clock.share == 0.0
    clock.earlier_seconds = 4.0
    assert clock.share == 0.0
    clock.earlier_seconds = 52.5
    assert clock.share == pytest.approx(0.5, abs=0.01)
    clock.earlier_seconds = 200.0
    assert clock.share == 1.0
    assert clock.is_over()
