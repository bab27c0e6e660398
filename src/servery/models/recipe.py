"""How a task is learned: columns to arrays, network or fit, loss, search space and what it costs."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from servery.data.dataset import Dataset
from servery.discovery import instances
from servery.errors import DataError, UnknownNameError
from servery.models.predictor import Predictor
from servery.progress import Progress, Silence
from servery.tasks.task import LearnableTask

Hyperparameters = dict[str, Any]


@dataclass(frozen=True)
class Budget:
    """What a training may spend.

    Attributes:
        deadline_seconds: Wall-clock seconds from the start of the fit; None for no limit.
        threads: CPU threads.
    """

    deadline_seconds: float | None = None
    threads: int = 1


@dataclass(frozen=True)
class Cost:
    """What a training is expected to cost, before it starts. `reason` says how it was estimated."""

    seconds: float
    memory_bytes: int
    reason: str


class Examples(Protocol):
    """Training examples in memory, already encoded, handed out as batches of tensors."""

    def __len__(self) -> int: ...

    def order(self, seed: int, epoch: int, batch_size: int) -> list[np.ndarray]:
        """Return the rows of every batch of one epoch; depends on its arguments only."""

    def batch(self, rows: np.ndarray, seed: int, epoch: int, step: int) -> tuple[Any, Any]:
        """Return (inputs, targets) of these rows as tensors; augmentation depends on the arguments only.

        `inputs` is a dict of tensors, the network's arguments by name.
        """


class Objective(Protocol):
    """What the loop minimises and what it watches."""

    def loss(self, network: Any, inputs: Any, targets: Any) -> Any:
        """Return the mean loss of a batch, a scalar tensor."""

    def validate(self, network: Any) -> dict[str, float]:
        """Return the validation metrics; the network is in evaluation mode."""

    primary_metric: str
    """Larger is better; early stopping and the choice of the best epoch follow it."""


@dataclass(frozen=True)
class Learned:
    """What a loop hands back; the network holds the weights of the best epoch.

    Attributes:
        history: One dict an epoch: epoch, step, seconds, loss, learning_rate and the validation metrics.
        stopped: Why it ended: "epochs", "early stopping", "deadline".
        best_epoch: The epoch whose weights were kept, from 1.
    """

    history: tuple[Mapping[str, float], ...]
    stopped: str
    best_epoch: int


class Loop(Protocol):
    """The trainer as a recipe sees it; `training.trainer.Trainer` is one."""

    def fit(
        self,
        network: Any,
        examples: Examples,
        objective: Objective,
        hyperparameters: Mapping[str, Any],
    ) -> Learned:
        """Train `network` in place.

        Reads from `hyperparameters`: optimizer ("adamw" | "sgd"), learning_rate, weight_decay, momentum, schedule
        ("cosine" | "constant"), warmup_share, batch_size, epochs, patience, gradient_clip, accumulation_steps,
        average_decay (0 turns the averaging of weights off), precision.
        """


@dataclass(frozen=True)
class Work:
    """Everything a recipe is given to make a model.

    Attributes:
        task: The question.
        field: Name of the field, for the signature only.
        train: Rows to learn from.
        validation: Rows to choose by (early stopping, thresholds); never the test part.
        hyperparameters: The recipe's defaults, overlaid with the plan's.
        seed: Everything random follows from it.
        budget: What may be spent.
        loop: Trains networks; recipes without a network leave it alone.
        progress: Hears the news.
    """

    task: LearnableTask
    field: str
    train: Dataset
    validation: Dataset
    hyperparameters: Hyperparameters
    seed: int
    budget: Budget
    loop: Loop
    progress: Progress = dataclasses.field(default_factory=Silence)


@dataclass(frozen=True)
class Made:
    """A recipe's result: the model and how its learning went (empty history where nothing was iterated)."""

    predictor: Predictor
    history: tuple[Mapping[str, float], ...] = ()
    stopped: str = ""


class Recipe(ABC):
    """One way to learn. A recipe is an object at module level of a file under `models/families/`.

    Two recipes may share a name when they read different forms or learn different tasks (`mlp` on text and on tables).
    """

    name: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    """One sentence on what it is, with its source (paper and section)."""
    form: ClassVar[str]
    """Name of the form of inputs it reads: "text", "image", "table"."""
    tasks: ClassVar[frozenset[str]]
    defaults: ClassVar[Mapping[str, Any]]
    """Every hyperparameter with its default."""
    can_stop_early: ClassVar[bool] = True
    """Whether `make` keeps its deadline by itself; if not, it is given only as many rows as its estimate allows."""
    search_space: ClassVar[Mapping[str, tuple[Any, ...]]] = {}
    """Hyperparameter to the values worth trying."""

    @abstractmethod
    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate time and memory before anything is spent."""

    @abstractmethod
    def make(self, work: Work) -> Made:
        """Learn; the predictor is uncalibrated and in the runtime that learned it."""

    def checked(self, name: str, value: Any) -> Any:
        """Return the value a plan gives to one hyperparameter, as the type of its default.

        Raises:
            UnknownNameError: The recipe has no such hyperparameter.
            DataError: The value is of another type.
        """
        if name not in self.defaults:
            raise UnknownNameError.among(f"hyperparameter of {self.name}", name, self.defaults)
        default = self.defaults[name]
        if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if default is not None and type(value) is not type(default):
            raise DataError(
                f"{self.name}: {name} is {value!r}; expected {type(default).__name__}, such as {default!r}.",
                param=name,
            )
        return value


def all_recipes() -> tuple[Recipe, ...]:
    """Return every recipe; imports torch."""
    return instances("servery.models.families", Recipe)


def recipes_for(form: str, task: str) -> dict[str, Recipe]:
    """Return by name the recipes that learn a task from inputs of a form."""
    return {r.name: r for r in all_recipes() if r.form == form and task in r.tasks}


def find_recipe(name: str, form: str, task: str) -> Recipe:
    """Return the recipe of that name that learns a task from inputs of a form.

    Raises:
        UnknownNameError: There is none.
    """
    fitting = recipes_for(form, task)
    if name not in fitting:
        raise UnknownNameError.among(f"recipe for {task} of {form} inputs", name, fitting)
    return fitting[name]
