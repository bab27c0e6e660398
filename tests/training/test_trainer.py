"""The trainer against loops written out by hand, and what it promises besides."""

from __future__ import annotations

import copy
import itertools
import json
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import nn

from servery.errors import DataError, EmptyDataError, InterruptedTrainingError, TrainingError
from servery.models.recipe import Budget
from servery.training.schedule import learning_rate
from servery.training.trainer import Trainer

PLAIN = {
    "learning_rate": 0.02,
    "batch_size": 16,
    "epochs": 3,
    "gradient_clip": 0.0,
    "weight_decay": 0.0,
    "schedule": "constant",
    "warmup_share": 0.0,
}


class News:
    """Writes down what it hears."""

    def __init__(self) -> None:
        self.updates: list[tuple[float, str, float, float, str]] = []
        self.said: list[tuple[str, str]] = []

    def update(self, stage: str, done: float, total: float, note: str = "") -> None:
        self.updates.append((time.monotonic(), stage, done, total, note))

    def say(self, heading: str, text: str) -> None:
        self.said.append((heading, text))


class Scripted:
    """An objective whose validation metrics are given beforehand, epoch by epoch."""

    primary_metric = "score"

    def __init__(self, scores: list[float], loss: Callable[[torch.Tensor, int], torch.Tensor] | None = None):
        self.scores = iter(scores)
        self.change = loss
        self.steps = 0
        self.seen: list[dict[str, torch.Tensor]] = []

    def loss(self, network: Any, inputs: Any, targets: Any) -> Any:
        self.steps += 1
        loss = nn.functional.cross_entropy(network(**inputs), targets)
        return self.change(loss, self.steps) if self.change else loss

    def validate(self, network: Any) -> dict[str, float]:
        assert not network.training
        self.seen.append({name: value.clone() for name, value in network.state_dict().items()})
        return {"score": next(self.scores)}


def equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def by_hand(
    tiny: ModuleType,
    make_optimizer: Callable[[nn.Module], torch.optim.Optimizer],
    rate: Callable[[float], float] = lambda share: 0.02,
    clip: float = 0.0,
) -> dict[str, torch.Tensor]:
    """Train the network without dropout in a loop of a few plain lines."""
    network = tiny.build_network()
    network.dropout.p = 0.0
    optimizer, examples = make_optimizer(network), tiny.Sentences()
    network.train()
    for epoch in range(3):
        batches = examples.order(7, epoch, 16)
        for index, rows in enumerate(batches):
            for group in optimizer.param_groups:
                group["lr"] = rate((epoch + (index + 0.5) / len(batches)) / 3)
            inputs, targets = examples.batch(rows, 7, epoch, index)
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(**inputs), targets).backward()
            if clip:
                nn.utils.clip_grad_norm_(network.parameters(), clip)
            optimizer.step()
    return network.state_dict()


def trained(tiny: ModuleType, **hyperparameters: Any) -> dict[str, torch.Tensor]:
    network = tiny.build_network()
    network.dropout.p = 0.0
    Trainer(seed=7, device="cpu").fit(network, tiny.Sentences(), Scripted([1, 2, 3]), PLAIN | hyperparameters)
    return network.state_dict()


def test_adamw_equals_a_loop_written_by_hand(tiny: ModuleType) -> None:
    def adamw(network: nn.Module) -> torch.optim.Optimizer:
        weights = list(network.parameters())
        groups = [
            {"params": [w for w in weights if w.dim() > 1], "weight_decay": 0.1},
            {"params": [w for w in weights if w.dim() == 1], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, fused=True)

    def rate(share: float) -> float:
        return learning_rate(0.02, share, "cosine", 0.2)

    expected = by_hand(tiny, adamw, rate, clip=0.5)
    ours = trained(tiny, weight_decay=0.1, schedule="cosine", warmup_share=0.2, gradient_clip=0.5)
    assert equal(ours, expected)


def test_adam_and_sgd_equal_loops_written_by_hand(tiny: ModuleType) -> None:
    expected = by_hand(tiny, lambda network: torch.optim.Adam(network.parameters(), fused=True))
    assert equal(trained(tiny, optimizer="adam"), expected)
    expected = by_hand(tiny, lambda network: torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9))
    ours = trained(tiny, optimizer="sgd")
    # torch's fused and plain SGD round differently, so this one is compared within float32's last digits.
    assert all(torch.allclose(ours[name], expected[name], rtol=1e-4, atol=1e-6) for name in ours)


def test_weight_decay_spares_norms_and_biases(tiny: ModuleType) -> None:
    # Over one step the decay of the other weights cannot reach them through the gradient.
    one_batch = {"epochs": 1, "batch_size": 120}
    plain, decayed = trained(tiny, **one_batch), trained(tiny, **one_batch, weight_decay=0.5)
    changed = {name for name in plain if not torch.equal(plain[name], decayed[name])}
    assert changed == {"embedding.weight", "lstm.weight_ih_l0", "lstm.weight_hh_l0", "out.weight"}


def test_accumulated_pieces_equal_the_large_batch(tiny: ModuleType) -> None:
    class WithoutNorm(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = tiny.build_network()
            self.inner.norm, self.inner.dropout = nn.Identity(), nn.Identity()

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return self.inner(tokens)

    weights = []
    for pieces in (1, 5):
        network = WithoutNorm()
        options = PLAIN | {"optimizer": "sgd", "batch_size": 32, "accumulation_steps": pieces}
        learned = Trainer(seed=7, device="cpu").fit(network, tiny.Sentences(), Scripted([1, 2, 3]), options)
        weights.append((network.state_dict(), learned.history[-1]["loss"]))
    (whole, whole_loss), (pieced, pieced_loss) = weights
    assert all(torch.allclose(whole[name], pieced[name], atol=1e-5) for name in whole)
    assert whole_loss == pytest.approx(pieced_loss, rel=1e-5)


def test_the_average_of_weights_is_validated_and_handed_back(tiny: ModuleType) -> None:
    steps: list[torch.Tensor] = []

    class Noting(Scripted):
        def loss(self, network: Any, inputs: Any, targets: Any) -> Any:
            steps.append(network.out.weight.detach().clone())
            return super().loss(network, inputs, targets)

    network = tiny.build_network()
    objective = Noting([1.0])
    options = PLAIN | {"epochs": 1, "average_decay": 0.6, "batch_size": 30}
    Trainer(seed=7, device="cpu").fit(network, tiny.Sentences(), objective, options)
    plain = tiny.build_network()
    Trainer(seed=7, device="cpu").fit(
        plain, tiny.Sentences(), Scripted([1.0]), options | {"average_decay": 0.0}
    )
    mean, *after = [*steps, plain.out.weight.detach()]
    for step, weight in enumerate(after, start=1):
        decay = min(0.6, (1 + step) / (10 + step))
        mean = decay * mean + (1 - decay) * weight
    assert torch.allclose(network.out.weight, mean, atol=1e-6)
    assert torch.equal(network.out.weight, objective.seen[0]["out.weight"])


def test_early_stopping_hands_back_the_best_epoch(tiny: ModuleType) -> None:
    network, objective = tiny.build_network(), Scripted([0.1, 0.5, 0.4, 0.5, 0.3, 0.9])
    learned = Trainer(device="cpu").fit(
        network, tiny.Sentences(), objective, PLAIN | {"epochs": 6, "patience": 3}
    )
    assert learned.stopped == "early stopping"
    assert learned.best_epoch == 2
    assert [row["score"] for row in learned.history] == [0.1, 0.5, 0.4, 0.5, 0.3]
    assert equal(network.state_dict(), objective.seen[1])


def test_the_history_says_what_each_epoch_did(tiny: ModuleType) -> None:
    learned = Trainer(device="cpu").fit(tiny.build_network(), tiny.Sentences(), Scripted([1, 2, 3]), PLAIN)
    assert learned.stopped == "epochs"
    assert [row["epoch"] for row in learned.history] == [1, 2, 3]
    assert [row["step"] for row in learned.history] == [8, 16, 24]
    assert learned.history[0].keys() == {"epoch", "step", "seconds", "loss", "learning_rate", "score"}
    assert learned.history[2]["loss"] < learned.history[0]["loss"]


def test_a_loss_that_is_not_finite_names_step_and_learning_rate_and_keeps_the_best(
    tiny: ModuleType, tmp_path: Path
) -> None:
    objective = Scripted([0.5, 0.6], loss=lambda loss, step: loss * (float("nan") if step == 13 else 1.0))
    trainer = Trainer(tmp_path, device="cpu")
    with pytest.raises(TrainingError, match=r"nan at step 13, at learning rate 0\.02") as caught:
        trainer.fit(tiny.build_network(), tiny.Sentences(), objective, PLAIN)
    assert (tmp_path / "fit-0" / "best-000000008.safetensors").exists()
    assert "best-000000008" in str(caught.value.hint)


def test_a_primary_metric_that_is_missing_or_not_finite_is_an_error(tiny: ModuleType) -> None:
    with pytest.raises(TrainingError, match="no finite score"):
        Trainer(device="cpu").fit(tiny.build_network(), tiny.Sentences(), Scripted([float("nan")]), PLAIN)


def test_the_process_is_left_as_it_was(tiny: ModuleType) -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    threads = torch.get_num_threads()
    handlers = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    inside: list[int] = []

    def look(loss: torch.Tensor, step: int) -> torch.Tensor:
        inside.append(torch.get_num_threads())
        return loss

    Trainer(budget=Budget(threads=2), device="cpu").fit(
        tiny.build_network(), tiny.Sentences(), Scripted([1, 2, 3], look), PLAIN
    )
    assert set(inside) == {2}
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.equal(torch.get_rng_state(), before)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == handlers


def test_progress_comes_at_most_ten_times_a_second_and_ends_at_the_end(tiny: ModuleType) -> None:
    news = News()
    objective = tiny.Accuracy(tiny.Sentences(60, 1), slow_step=0.02)
    Trainer(progress=news, device="cpu").fit(tiny.build_network(), tiny.Sentences(), objective, PLAIN)
    times = [moment for moment, *_ in news.updates[:-1]]
    assert all(later - earlier >= 0.09 for earlier, later in itertools.pairwise(times))
    _, stage, done, total, note = news.updates[-1]
    assert (stage, done, total) == ("Train", 3, 3)
    assert "epoch 3/3" in note
    assert "accuracy" in note


def test_a_run_that_ended_is_not_run_again(tiny: ModuleType, tmp_path: Path) -> None:
    first, second, objective = tiny.build_network(), tiny.build_network(9), Scripted([])
    learned = Trainer(tmp_path, device="cpu").fit(first, tiny.Sentences(), Scripted([1, 2, 3]), PLAIN)
    again = Trainer(tmp_path, device="cpu").fit(second, tiny.Sentences(), objective, PLAIN)
    assert again == learned
    assert objective.steps == 0
    assert equal(first.state_dict(), second.state_dict())


def test_two_fits_of_one_trainer_keep_apart(tiny: ModuleType, tmp_path: Path) -> None:
    trainer = Trainer(tmp_path, device="cpu")
    for _ in range(2):
        trainer.fit(tiny.build_network(), tiny.Sentences(), Scripted([1, 2, 3]), PLAIN)
    assert {path.name for path in tmp_path.iterdir()} == {"fit-0", "fit-1"}


def test_a_fit_in_another_thread_can_be_stopped_and_continued(tiny: ModuleType, tmp_path: Path) -> None:
    trainer, errors = Trainer(tmp_path, device="cpu"), []
    objective = tiny.Accuracy(tiny.Sentences(60, 1), slow_step=0.05)

    def work() -> None:
        try:
            trainer.fit(tiny.build_network(), tiny.Sentences(), objective, PLAIN)
        except InterruptedTrainingError as error:
            errors.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(0.3)
    trainer.stop()
    thread.join(timeout=10)
    assert "same command continues" in errors[0].hint
    resumed, whole = tiny.build_network(), tiny.build_network()
    fast = tiny.Accuracy(tiny.Sentences(60, 1))
    Trainer(tmp_path, device="cpu").fit(resumed, tiny.Sentences(), fast, PLAIN)
    Trainer(device="cpu").fit(whole, tiny.Sentences(), fast, PLAIN)
    assert equal(resumed.state_dict(), whole.state_dict())


def test_two_threads_end_with_the_same_weights_twice(tiny: ModuleType) -> None:
    weights = []
    for _ in range(2):
        network = tiny.build_network()
        Trainer(budget=Budget(threads=2), device="cpu").fit(
            network, tiny.Sentences(2000), Scripted([1, 2, 3]), PLAIN | {"batch_size": 1000}
        )
        weights.append(network.state_dict())
    assert equal(*weights)


@pytest.mark.parametrize(
    ("name", "value"),
    [("optimizer", "adamx"), ("learning_rate", -1), ("batch_size", 2.5), ("epochs", 0), ("momentum", "much")],
)
def test_a_wrong_hyperparameter_is_refused_by_name(tiny: ModuleType, name: str, value: object) -> None:
    with pytest.raises(DataError, match=name):
        Trainer(device="cpu").fit(tiny.build_network(), tiny.Sentences(), Scripted([]), {name: value})


def test_nothing_to_learn_from_and_nothing_to_train_are_errors(tiny: ModuleType) -> None:
    with pytest.raises(EmptyDataError):
        Trainer(device="cpu").fit(tiny.build_network(), tiny.Sentences(0), Scripted([]), PLAIN)
    network = tiny.build_network()
    network.requires_grad_(False)
    with pytest.raises(TrainingError, match="requires_grad"):
        Trainer(device="cpu").fit(network, tiny.Sentences(), Scripted([]), PLAIN)


def test_float16_resumes_with_its_gradient_scaler(tiny: ModuleType, tmp_path: Path) -> None:
    class Bag(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding, self.out = nn.Embedding(12, 8), nn.Linear(8, 3)

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return self.out(self.embedding(tokens).mean(dim=1))

    def stop_once(loss: torch.Tensor, step: int) -> torch.Tensor:
        if step == 11:
            stopped.stop()
        return loss

    options = PLAIN | {"precision": "float16"}
    torch.manual_seed(0)
    first = Bag()
    resumed, whole = copy.deepcopy(first), copy.deepcopy(first)
    stopped = Trainer(tmp_path, device="cpu")
    with pytest.raises(InterruptedTrainingError):
        stopped.fit(first, tiny.Sentences(), Scripted([1], stop_once), options)
    Trainer(tmp_path, device="cpu").fit(resumed, tiny.Sentences(), Scripted([2, 3]), options)
    Trainer(device="cpu").fit(whole, tiny.Sentences(), Scripted([1, 2, 3]), options)
    assert equal(resumed.state_dict(), whole.state_dict())
    index = json.loads((tmp_path / "fit-0" / "checkpoint.json").read_text())
    assert index["state"]["scaler"]["_growth_tracker"] + index["state"]["scaler"]["scale"] > 0
