"""What the trainer costs over a bare PyTorch loop on the same model and the same tensors in memory.

Rounds alternate between the two, so that a busy machine slows both; the ratio of CPU times is the figure, because
wall-clock is the machine's. Run: `OMP_NUM_THREADS=1 python benchmarks/training/overhead.py --json overhead.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from servery.models.recipe import Budget
from servery.training.trainer import Trainer

LEARNING_RATE = 1e-3


class LastState(nn.Module):
    """Embedding, LSTM, linear."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(1000, 32)
        self.lstm = nn.LSTM(32, 64, batch_first=True)
        self.out = nn.Linear(64, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits, (rows, 4)."""
        states, _ = self.lstm(self.embedding(x))
        return self.out(states[:, -1])


class Perceptron(nn.Sequential):
    """784-128-10."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits, (rows, 10)."""
        return super().forward(x)


class Convolutions(nn.Sequential):
    """Two convolutions with pooling, for 28x28."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(4),
            nn.Flatten(),
            nn.Linear(256, 10),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return the logits, (rows, 10)."""
        return super().forward(x)


@dataclass(frozen=True)
class Case:
    """One line of the table."""

    name: str
    build: Callable[[], nn.Module]
    inputs: Callable[[int], torch.Tensor]
    labels: int
    rows: int
    batch_size: int
    epochs: int


CASES = (
    Case("mlp 784-128-10, batch 64", Perceptron, lambda n: torch.randn(n, 784), 10, 12_800, 64, 6),
    Case("mlp 784-128-10, batch 512", Perceptron, lambda n: torch.randn(n, 784), 10, 12_800, 512, 10),
    Case(
        "lstm 32-64, 20 tokens, batch 64", LastState, lambda n: torch.randint(1000, (n, 20)), 4, 3_200, 64, 3
    ),
    Case("cnn 8-16, 28x28, batch 64", Convolutions, lambda n: torch.randn(n, 1, 28, 28), 10, 3_200, 64, 3),
)


class Tensors:
    """Examples in memory: one gather a batch."""

    def __init__(self, inputs: torch.Tensor, targets: torch.Tensor) -> None:
        self.inputs, self.targets = inputs, targets

    def __len__(self) -> int:
        return len(self.targets)

    def order(self, seed: int, epoch: int, batch_size: int) -> list[np.ndarray]:
        """Return a permutation in batches."""
        rows = np.random.default_rng([seed, epoch]).permutation(len(self))
        return [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]

    def batch(self, rows: np.ndarray, seed: int, epoch: int, step: int) -> tuple[Any, Any]:
        """Return the rows."""
        at = torch.from_numpy(rows)
        return {"x": self.inputs[at]}, self.targets[at]


class Watch:
    """Cross-entropy, and the accuracy of one forward pass over the validation rows."""

    primary_metric = "accuracy"

    def __init__(self, validation: Tensors) -> None:
        self.validation = validation

    def loss(self, network: Any, inputs: Any, targets: Any) -> Any:
        """Return the mean loss."""
        return nn.functional.cross_entropy(network(**inputs), targets)

    def validate(self, network: Any) -> dict[str, float]:
        """Return the accuracy."""
        hits = network(self.validation.inputs).argmax(dim=1) == self.validation.targets
        return {"accuracy": float(hits.float().mean())}


def train_bare(case: Case, train: Tensors, validation: Tensors) -> None:
    network = case.build()
    optimizer = torch.optim.AdamW(network.parameters(), lr=LEARNING_RATE, fused=True)
    watch = Watch(validation)
    for _ in range(case.epochs):
        network.train()
        total = torch.zeros(())
        for at in torch.randperm(len(train)).split(case.batch_size):
            loss = nn.functional.cross_entropy(network(train.inputs[at]), train.targets[at])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach()
        network.eval()
        with torch.no_grad():
            watch.validate(network)


def train_ours(case: Case, train: Tensors, validation: Tensors) -> None:
    options = {
        "learning_rate": LEARNING_RATE,
        "batch_size": case.batch_size,
        "epochs": case.epochs,
        "gradient_clip": 0.0,
    }
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(Path(folder), budget=Budget(threads=torch.get_num_threads()), device="cpu")
        trainer.fit(case.build(), train, Watch(validation), options)


def seconds_of(work: Callable[[], None]) -> tuple[float, float]:
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall


def measure(case: Case, rounds: int) -> dict[str, Any]:
    torch.manual_seed(0)
    train, validation = (
        Tensors(case.inputs(n), torch.randint(case.labels, (n,))) for n in (case.rows, case.rows // 10)
    )
    runs: dict[str, list[tuple[float, float]]] = {"bare": [], "trainer": []}
    for number in range(rounds + 1):
        pair = [("bare", train_bare), ("trainer", train_ours)]
        for name, work in pair if number % 2 else reversed(pair):
            seconds = seconds_of(lambda work=work: work(case, train, validation))  # type: ignore[misc]
            if number:  # the first round warms both
                runs[name].append(seconds)
    result: dict[str, Any] = {"case": case.name, "rounds": rounds}
    for at, clock in enumerate(("cpu", "wall")):
        bare, ours = ([run[at] for run in runs[name]] for name in ("bare", "trainer"))
        ratios = sorted(b / a for a, b in zip(bare, ours, strict=True))
        result[clock] = {
            "bare_seconds": min(bare),
            "trainer_seconds": min(ours),
            "ratio_of_best": min(ours) / min(bare),
            "ratio_median": statistics.median(ratios),
            "ratio_quartiles": statistics.quantiles(ratios, n=4)[::2],
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", type=Path, default=None, help="file to write the figures to")
    arguments = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    print(f"{'case':34}{'bare s':>8}{'ours s':>8}{'cpu best':>10}{'median':>8}  {'quartiles':13}{'wall':>6}")
    results = []
    for case in CASES:
        result = measure(case, arguments.rounds)
        results.append(result)
        cpu, (low, high) = result["cpu"], result["cpu"]["ratio_quartiles"]
        print(
            f"{case.name:34}{cpu['bare_seconds']:8.2f}{cpu['trainer_seconds']:8.2f}{cpu['ratio_of_best']:10.3f}"
            f"{cpu['ratio_median']:8.3f}  {low:.3f}-{high:.3f}  {result['wall']['ratio_median']:6.3f}",
            flush=True,
        )
    if arguments.json:
        about = {
            "torch": torch.__version__,
            "threads": torch.get_num_threads(),
            "machine": platform.machine(),
        }
        arguments.json.write_text(json.dumps({**about, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
