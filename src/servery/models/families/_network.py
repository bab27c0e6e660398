"""What all recipes that train a network have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from servery.data.columns import Column
from servery.data.dataset import Dataset
from servery.models.encoder import Encoder
from servery.models.families._assembly import LABEL_TASKS, assemble, say_left_out
from servery.models.families._examples import EncodedExamples
from servery.models.families._objective import LabelObjective
from servery.models.families._sizes import Sizing
from servery.models.recipe import Cost, Made, Objective, Recipe, Work
from servery.models.runtime import Runtime
from servery.models.runtimes.torch_network import TorchNetwork
from servery.nn.network import Network, build_network

MULTIPLICATIONS_PER_SECOND = 15e9
"""Of one thread in training, measured with small matrices on one core; large ones are quicker."""
SECONDS_PER_STEP = 0.004
"""What a step costs besides multiplications, measured with a network of 200,000 weights."""
SECONDS_PER_WEIGHT = 1.5e-8
"""What clipping, optimizer and running average take for one weight in one step, measured on goemotions."""
BASE_BYTES = 450 * 2**20
"""Memory of a process with torch and a small batch."""
BYTES_PER_WEIGHT = 24
"""A weight, its gradient, two moments, its average and its best value so far, four bytes each."""
TRAINING_PASSES = 3
"""A step multiplies forwards once and backwards twice."""

TRAINING: Mapping[str, Any] = {
    "optimizer": "adamw",
    "learning_rate": 2e-3,
    "weight_decay": 0.01,
    "momentum": 0.9,
    "schedule": "cosine",
    "warmup_share": 0.06,
    "batch_size": 0,
    "epochs": 0,
    "patience": 0,
    "gradient_clip": 1.0,
    "accumulation_steps": 1,
    "average_decay": 0.998,
    "label_smoothing": 0.0,
    "class_weights": "none",
    "precision": "auto",
}
"""Defaults of every network; a batch size, a number of epochs or a patience of 0 is chosen from the number of rows."""


@dataclass(frozen=True)
class NetworkSize:
    """What an estimate of time and memory needs to know.

    Attributes:
        multiplications: Of one row, forwards.
        weights: Learned numbers.
        example_bytes: Of one encoded row.
        reason: What was counted, in words.
    """

    multiplications: float
    weights: float
    example_bytes: float
    reason: str


class NetworkRecipe(Recipe):
    """A recipe says how to encode, which network to build, and how large its training should be."""

    tasks = LABEL_TASKS
    network: ClassVar[str]
    """Name of the network under `nn/networks/`."""
    least_epochs: ClassVar[int] = 4
    most_epochs: ClassVar[int] = 40
    least_steps: ClassVar[int] = 1400
    """Steps that a small data set gets by more epochs."""
    largest_batch: ClassVar[int] = 128
    smallest_batch: ClassVar[int] = 16
    rows_per_batch_row: ClassVar[int] = 50
    """Training rows for each row of a batch, until the largest batch is reached."""
    multiplications_per_second: ClassVar[float] = MULTIPLICATIONS_PER_SECOND
    """Of one thread in training."""

    @abstractmethod
    def columns(self, dataset: Dataset) -> tuple[Column, ...]:
        """Return the inputs that are read."""

    @abstractmethod
    def fit_encoder(
        self, work: Work, columns: tuple[Column, ...], examples: Sequence[Mapping[str, Any]]
    ) -> Encoder:
        """Learn the encoder from the training rows."""

    @abstractmethod
    def examples(
        self,
        work: Work,
        encoder: Encoder,
        rows: Sequence[Mapping[str, Any]],
        targets: np.ndarray,
        is_training: bool,
    ) -> EncodedExamples:
        """Encode a part of the data."""

    @abstractmethod
    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Return what the network is built with, as plain JSON types."""

    @abstractmethod
    def size(self, dataset: Dataset, hyperparameters: Mapping[str, Any]) -> NetworkSize:
        """Estimate how large the network will be."""

    def objective(
        self,
        work: Work,
        targets: np.ndarray,
        validation: EncodedExamples,
        labels: int,
        hyperparameters: Mapping[str, Any],
    ) -> Objective:
        """Return what is minimised and watched; a task whose answers are no labels has its own."""
        return LabelObjective(work.task, targets, validation, labels, hyperparameters)

    def initialise(self, work: Work, network: Network, train: EncodedExamples) -> None:
        """Give the network better first weights than random ones, where a recipe has them."""
        return

    def make(self, work: Work) -> Made:
        """Encode, build, train."""
        columns, labels = self.columns(work.train), work.task.labels_of(work.train)
        say_left_out(work, columns)
        targets = work.task.encode_targets(work.train, labels)
        rows = list(work.train.examples())
        encoder = self.fit_encoder(work, columns, rows)
        train = self.examples(work, encoder, rows, targets, True)
        validation = self.examples(
            work,
            encoder,
            list(work.validation.examples()),
            work.task.encode_targets(work.validation, labels),
            False,
        )
        arguments = self.arguments(work, encoder, train, len(labels))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(work.seed)
            network = build_network(self.network, arguments)
        self.initialise(work, network, train)
        hyperparameters = {**work.hyperparameters, **self.sizes(len(train), work.hyperparameters)}
        work.progress.say(
            "Network",
            f"{network.parameter_count():,} weights; {hyperparameters['epochs']} epochs at most, "
            f"batches of {hyperparameters['batch_size']}",
        )
        objective = self.objective(work, targets, validation, len(labels), hyperparameters)
        learned = work.loop.fit(network, train, objective, hyperparameters)
        runtime = self.runtime(network, encoder)
        predictor = assemble(work, self.name, columns, labels, encoder, runtime, "torch, as it was trained")
        return Made(predictor, learned.history, learned.stopped)

    def runtime(self, network: Network, encoder: Encoder) -> Runtime:
        """Return the trained network as something that answers."""
        return TorchNetwork(network)

    def sizes(self, rows: int, hyperparameters: Mapping[str, Any]) -> dict[str, int]:
        """Return batch size, epochs and patience, chosen from the rows where they are 0."""
        sizing = Sizing(
            self.rows_per_batch_row,
            self.smallest_batch,
            self.largest_batch,
            self.least_steps,
            self.least_epochs,
            self.most_epochs,
        )
        return sizing.chosen(rows, hyperparameters)

    def rows_of_epoch(self, rows: int, hyperparameters: Mapping[str, Any]) -> int:
        """Return how many rows an epoch has; more than the data set where it takes each several times."""
        return rows

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the multiplications of a row, the rows and the steps."""
        rows = self.rows_of_epoch(len(dataset), hyperparameters)
        size, sizes = self.size(dataset, hyperparameters), self.sizes(rows, hyperparameters)
        seen = rows * sizes["epochs"]
        steps = seen / sizes["batch_size"]
        speed = self.multiplications_per_second * threads**0.7
        a_step = SECONDS_PER_STEP + size.weights * SECONDS_PER_WEIGHT
        seconds = TRAINING_PASSES * size.multiplications * seen / speed + a_step * steps
        memory = BASE_BYTES + BYTES_PER_WEIGHT * size.weights + size.example_bytes * len(dataset)
        reason = f"{rows:,} rows x {sizes['epochs']} epochs, {size.reason}"
        return Cost(2.0 + seconds, int(memory), reason)
