"""A tiny training to kill: an LSTM with dropout on made-up sentences.

Run as a script it reads one JSON object a line, forks a process that trains as the object says, and answers with
one line when the process has started and, once asked, with its exit code. Forking spares each process torch's
import.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn

from servery.errors import InterruptedTrainingError
from servery.models.recipe import Budget, Learned
from servery.training.trainer import Trainer


class Sentences:
    """Rows of made-up token numbers, labelled by which of three tokens is the most frequent."""

    def __init__(self, rows: int = 120, seed: int = 0) -> None:
        generator = np.random.default_rng(seed)
        tokens = generator.integers(0, 12, (rows, 9))
        counts = np.stack([(tokens % 3 == k).sum(axis=1) for k in range(3)], axis=1)
        self.tokens, self.labels = torch.tensor(tokens), torch.tensor(counts.argmax(axis=1))

    def __len__(self) -> int:
        return len(self.labels)

    def order(self, seed: int, epoch: int, batch_size: int) -> list[np.ndarray]:
        rows = np.random.default_rng([seed, epoch]).permutation(len(self))
        return [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]

    def batch(self, rows: np.ndarray, seed: int, epoch: int, step: int) -> tuple[Any, Any]:
        return {"tokens": self.tokens[rows]}, self.labels[rows]


class Sentiment(nn.Module):
    """Embedding, LSTM, dropout, norm, linear."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(12, 8)
        self.lstm = nn.LSTM(8, 12, batch_first=True)
        self.dropout = nn.Dropout(0.3)
        self.norm = nn.BatchNorm1d(12)
        self.out = nn.Linear(12, 3)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        states, _ = self.lstm(self.embedding(tokens))
        return self.out(self.norm(self.dropout(states[:, -1])))


class Accuracy:
    """Cross-entropy to learn by, accuracy to choose by.

    Args:
        validation: Rows to choose by.
        slow_step: Seconds slept in each step.
        slow_validation: Seconds slept in each validation.
        mark: A file made as soon as the slow part has begun.
    """

    primary_metric = "accuracy"

    def __init__(
        self,
        validation: Sentences,
        slow_step: float = 0.0,
        slow_validation: float = 0.0,
        mark: str | None = None,
    ) -> None:
        self.validation = validation
        self.slow_step = slow_step
        self.slow_validation = slow_validation
        self.mark = mark

    def loss(self, network: Any, inputs: Any, targets: Any) -> Any:
        self._sleep(self.slow_step)
        return nn.functional.cross_entropy(network(**inputs), targets)

    def validate(self, network: Any) -> dict[str, float]:
        parts = 10
        hits = 0
        for tokens, labels in zip(
            self.validation.tokens.chunk(parts), self.validation.labels.chunk(parts), strict=True
        ):
            self._sleep(self.slow_validation / parts)
            hits += int((network(tokens).argmax(dim=1) == labels).sum())
        return {"accuracy": hits / len(self.validation)}

    def _sleep(self, seconds: float) -> None:
        if seconds and self.mark:
            Path(self.mark).touch()
        time.sleep(seconds)


def build_network(seed: int = 0) -> Sentiment:
    with torch.random.fork_rng([]):
        torch.manual_seed(seed)
        return Sentiment()


def train(order: dict[str, Any]) -> Learned:
    """Train as `order` says and write weights and history next to each other."""
    network = build_network()
    trainer = Trainer(
        Path(order["run_folder"]),
        seed=5,
        budget=Budget(order.get("deadline_seconds"), 1),
        device="cpu",
        checkpoint_every_steps=order.get("every_steps", 1),
    )
    objective = Accuracy(
        Sentences(60, seed=1),
        order.get("slow_step", 0.0),
        order.get("slow_validation", 0.0),
        order.get("mark"),
    )
    learned = trainer.fit(network, Sentences(), objective, order["hyperparameters"])
    save_file(network.state_dict(), order["weights"])
    history = [{k: v for k, v in row.items() if k != "seconds"} for row in learned.history]
    Path(order["weights"]).with_suffix(".json").write_text(json.dumps([history, learned.best_epoch]))
    return learned


def _die_at_fsync(number: int) -> None:
    # Fault injection: the process is killed for real, at an exact place inside a save.
    real: Callable[[int], None] = os.fsync
    calls = [0]

    def fsync(descriptor: int) -> None:
        calls[0] += 1
        if calls[0] == number:
            os.kill(os.getpid(), signal.SIGKILL)
        real(descriptor)

    os.fsync = fsync


def _child(order: dict[str, Any]) -> int:
    if "die_at_fsync" in order:
        _die_at_fsync(order["die_at_fsync"])
    try:
        train(order)
    except InterruptedTrainingError as error:
        return error.exit_code
    return 0


def main() -> None:
    torch.set_num_threads(1)
    torch.optim.AdamW(build_network().parameters())  # imports what an optimizer imports, once
    print("ready", flush=True)
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            os._exit(_child(json.loads(line)))
        print(json.dumps({"pid": pid}), flush=True)
        # Not reaped before the answer is read, so that a late kill finds this process and no other of its number.
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        print("ended", flush=True)
        sys.stdin.readline()
        _, status = os.waitpid(pid, 0)
        print(json.dumps({"exit_code": os.waitstatus_to_exitcode(status)}), flush=True)


if __name__ == "__main__":
    main()
