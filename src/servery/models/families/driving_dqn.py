"""Deep Q-learning on the motorway of highway-env."""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from servery.data.columns import Column
from servery.data.dataset import Dataset
from servery.data.highway import Highway
from servery.data.traffic import ACTIONS, COLUMNS, outlooks
from servery.errors import DataError
from servery.models.encoders.rows import Rows
from servery.models.families._assembly import TABLE_KINDS, assemble, columns_for
from servery.models.recipe import Cost, Made, Recipe, Work
from servery.models.runtimes.torch_network import TorchNetwork
from servery.nn.network import Network, build_network

SECONDS_PER_STEP = 0.03
"""Of highway-env, measured on one core."""
SEEDS = 10_000
"""Drives that are learned from have seeds below this; those above are for judging."""
HISTORY_STEPS = 500


class Dqn(Recipe):
    """Learns by trying what each action leads to."""

    name = "dqn"
    title = "Deep Q-network"
    summary = (
        "Drives in highway-env and learns the discounted reward of each action (Mnih et al. 2015; the choice by one "
        "network and its value by another, van Hasselt et al. 2016); what it tries at random the shield allows."
    )
    form = "table"
    tasks = frozenset({"driving-decision"})
    defaults = {
        "steps": 15_000,
        "learning_rate": 5e-4,
        "discount": 0.85,
        "batch_size": 64,
        "memory": 15_000,
        "first_steps": 300,
        "copy_every": 100,
        "exploring_share": 0.5,
        "least_exploring": 0.05,
        "hidden_sizes": [256, 256],
    }
    search_space = {"learning_rate": (2.5e-4, 5e-4, 1e-3), "discount": (0.8, 0.85, 0.9)}

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the steps on the road; the demonstrations only give the scales."""
        steps, rows = hyperparameters["steps"], len(dataset)
        memory = 500 * 2**20 + 400 * hyperparameters["memory"] + 200 * rows
        return Cost(1.0 + SECONDS_PER_STEP * steps + 1e-4 * rows, memory, f"{steps:,} steps, {rows:,} rows")

    def make(self, work: Work) -> Made:
        """Drive, remember, learn.

        Raises:
            MissingExtraError: highway-env is not installed.
            DataError: The data lacks columns that the road gives.
        """
        columns = _columns(work.train)
        road = Highway()
        examples = list(work.train.examples())
        encoder = Rows.fit(examples, columns, layout="indices")
        learner = _Learner(work, encoder)
        history = learner.run(road)
        stopped = "deadline" if learner.is_late else "epochs"
        runtime = TorchNetwork(learner.network.eval())
        labels = work.task.labels_of(work.train)
        predictor = assemble(work, self.name, columns, labels, encoder, runtime, "torch, as it was trained")
        return Made(predictor, history, stopped)


@dataclass
class _Memory:
    """The last moments that were lived through, as a ring."""

    numbers: Tensor
    categories: Tensor
    actions: Tensor
    rewards: Tensor
    goes_on: Tensor
    next_numbers: Tensor
    next_categories: Tensor
    count: int = 0

    @classmethod
    def of(cls, size: int, batch: Mapping[str, np.ndarray]) -> _Memory:
        numbers = torch.zeros(size, batch["numbers"].shape[1])
        categories = torch.zeros(size, batch["categories"].shape[1], dtype=torch.int64)
        one = torch.zeros(size)
        return cls(
            numbers, categories, one.long(), one.clone(), one.clone(), numbers.clone(), categories.clone()
        )

    def add(
        self,
        seen: Mapping[str, Tensor],
        action: int,
        reward: float,
        goes_on: bool,
        then: Mapping[str, Tensor],
    ) -> None:
        place = self.count % len(self.actions)
        self.numbers[place], self.categories[place] = seen["numbers"][0], seen["categories"][0]
        self.next_numbers[place], self.next_categories[place] = then["numbers"][0], then["categories"][0]
        self.actions[place], self.rewards[place], self.goes_on[place] = action, reward, float(goes_on)
        self.count += 1

    def __len__(self) -> int:
        return min(self.count, len(self.actions))


class _Learner:
    """One training: the network that chooses, the slower one that values, and the memory."""

    def __init__(self, work: Work, encoder: Rows) -> None:
        self.work, self.encoder, self.asked = work, encoder, work.hyperparameters
        self.chance = np.random.default_rng([work.seed, 7])
        arguments = {
            "numbers": encoder.scales.width,
            "category_counts": encoder.category_counts,
            "largest_embedding": 4,
            "hidden_sizes": list(self.asked["hidden_sizes"]),
            "labels": len(ACTIONS),
            "dropout": 0.0,
        }
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(work.seed)
            self.network: Network = build_network("table_mlp", arguments)
        self.valuer = copy.deepcopy(self.network)
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=self.asked["learning_rate"], weight_decay=1e-4
        )
        self.is_late = False
        self._started = time.monotonic()

    def run(self, road: Highway) -> tuple[Mapping[str, float], ...]:
        """Drive until the steps or the time are used up; return the history, an entry every few hundred steps."""
        steps, history = int(self.asked["steps"]), []
        row = road.start(self._seed())
        seen = self._tensors(row)
        memory = _Memory.of(int(self.asked["memory"]), self.encoder.encode([row]))
        losses: list[float] = []
        rewards: list[float] = []
        for step in range(1, steps + 1):
            action = self._choice(row, seen, step / steps)
            led_to = road.step(ACTIONS[action])
            then = self._tensors(led_to.row)
            memory.add(seen, action, led_to.reward, not led_to.is_crashed, then)
            rewards.append(led_to.reward)
            row, seen = led_to.row, then
            if led_to.is_over:
                row = road.start(self._seed())
                seen = self._tensors(row)
            if step > self.asked["first_steps"]:
                losses.append(self._learn(memory))
            if step % int(self.asked["copy_every"]) == 0:
                self.valuer.load_state_dict(self.network.state_dict())
            if step % HISTORY_STEPS == 0 or step == steps or self._is_over():
                history.append(self._noted(step, losses, rewards))
                self.work.progress.update("Drive", step, steps, f"reward a step {history[-1]['reward']:.3f}")
                losses, rewards = [], []
            if self.is_late:
                break
        return tuple(history)

    def _choice(self, row: Mapping[str, Any], seen: Mapping[str, Tensor], done: float) -> int:
        """Return an action: at first at random among those that the shield allows, then more and more the best one."""
        share = max(1.0 - done / self.asked["exploring_share"], 0.0)
        least = float(self.asked["least_exploring"])
        if self.chance.random() < least + (1.0 - least) * share:
            found = outlooks(row)
            allowed = [number for number, name in enumerate(ACTIONS) if found[name].is_safe]
            return int(self.chance.choice(allowed or np.arange(len(ACTIONS))))
        with torch.inference_mode():
            return int(self.network(**seen).argmax())

    def _learn(self, memory: _Memory) -> float:
        rows = torch.from_numpy(self.chance.integers(len(memory), size=int(self.asked["batch_size"])))
        with torch.no_grad():
            then = {"numbers": memory.next_numbers[rows], "categories": memory.next_categories[rows]}
            best = self.network(**then).argmax(dim=1, keepdim=True)
            worth = self.valuer(**then).gather(1, best)[:, 0]
            truth = memory.rewards[rows] + self.asked["discount"] * memory.goes_on[rows] * worth
        said = self.network(numbers=memory.numbers[rows], categories=memory.categories[rows])
        loss = functional.smooth_l1_loss(said.gather(1, memory.actions[rows, None])[:, 0], truth)
        self.optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 10.0)
        self.optimizer.step()
        return float(loss.detach())

    def _tensors(self, row: Mapping[str, Any]) -> dict[str, Tensor]:
        return {name: torch.from_numpy(array) for name, array in self.encoder.encode([row]).items()}

    def _seed(self) -> int:
        return int(self.chance.integers(SEEDS))

    def _is_over(self) -> bool:
        limit = self.work.budget.deadline_seconds
        self.is_late = limit is not None and time.monotonic() - self._started > limit
        return self.is_late

    def _noted(self, step: int, losses: list[float], rewards: list[float]) -> dict[str, float]:
        return {
            "epoch": step / HISTORY_STEPS,
            "step": float(step),
            "seconds": time.monotonic() - self._started,
            "loss": float(np.mean(losses)) if losses else 0.0,
            "reward": float(np.mean(rewards)),
        }


def _columns(dataset: Dataset) -> tuple[Column, ...]:
    columns = columns_for(dataset, TABLE_KINDS)
    missing = [name for name in COLUMNS if name not in {column.name for column in columns}]
    if missing:
        raise DataError(
            f"The data has no column {missing[0]!r}; the road gives {', '.join(COLUMNS)}.",
            hint="rename your columns, or learn from demonstrations alone: --recipe behaviour-cloning",
            param="data",
        )
    return tuple(column for column in columns if column.name in COLUMNS)


DQN = Dqn()
