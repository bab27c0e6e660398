"""Everything of a training that changes from step to step, as one thing to save and put back."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn

from servery.training.averaging import Average
from servery.training.checkpoint import Tensors
from servery.training.optimizers import build_optimizer, optimizer_tensors, restore_optimizer
from servery.training.options import Options
from servery.training.precision import Precision
from servery.training.surroundings import random_tensors, restore_random


@dataclass
class Position:
    """Where a training stands, in JSON types.

    Attributes:
        epoch: Epochs that are over.
        batch: Batches done of the present epoch.
        step: Steps done.
        learning_rate: Of the last step.
        loss_sum: Of the present epoch, weighted by rows.
        rows: Of the present epoch.
        best_metric: The primary metric's best value; None before the first validation.
        best_epoch: The epoch it was found in, from 1.
        best_step: Steps done when it was found.
        epochs_without_gain: Epochs since.
        stopped: Why the run is over; empty while it is not.
        history: One dict an epoch.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    learning_rate: float = 0.0
    loss_sum: float = 0.0
    rows: int = 0
    best_metric: float | None = None
    best_epoch: int = 0
    best_step: int = 0
    epochs_without_gain: int = 0
    stopped: str = ""
    history: list[dict[str, float]] = field(default_factory=list)


class State:
    """The network with its optimizer, average, scaler, position and best weights."""

    def __init__(self, network: nn.Module, options: Options, device: torch.device) -> None:
        self.network = network
        self.device = device
        self.optimizer = build_optimizer(network, options)
        self.precision = Precision(options.precision, device)
        self.average = Average(network, options.average_decay) if options.average_decay else None
        self.position = Position()
        self.best: Tensors = {}

    def keep_as_best(self, metric: float) -> None:
        """Remember the weights that were just validated: the average where there is one."""
        position = self.position
        position.best_metric, position.best_epoch = metric, position.epoch + 1
        position.best_step = position.step
        averaged = self.average.tensors if self.average else {}
        weights = self.network.state_dict()
        self.best = {name: averaged.get(name, value).detach().clone() for name, value in weights.items()}

    def tensors(self) -> Tensors:
        """Return every tensor a resumed run needs, by "<part>/<name>"."""
        parts = {
            "network": self.network.state_dict(),
            "optimizer": optimizer_tensors(self.optimizer),
            "average": self.average.tensors if self.average else {},
            "random": random_tensors(self.device),
        }
        return {f"{part}/{name}": value for part, tensors in parts.items() for name, value in tensors.items()}

    def values(self) -> dict[str, Any]:
        """Return everything else a resumed run needs, in JSON types."""
        return {"position": asdict(self.position), "scaler": self.precision.scaler.state_dict()}

    def restore(self, tensors: Tensors, values: dict[str, Any], best: Tensors) -> None:
        """Put back what `tensors` and `values` returned, and the best weights."""
        self.position = Position(**values["position"])
        self.best = {name: value.to(self.device) for name, value in best.items()}
        if self.position.stopped:
            return
        self.network.load_state_dict(_part(tensors, "network"))
        restore_optimizer(self.optimizer, _part(tensors, "optimizer"))
        if values["scaler"]:
            self.precision.scaler.load_state_dict(values["scaler"])
        if self.average:
            self.average.restore(_part(tensors, "average"))
        restore_random(_part(tensors, "random"), self.device)


def _part(tensors: Tensors, part: str) -> Tensors:
    start = f"{part}/"
    return {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}
