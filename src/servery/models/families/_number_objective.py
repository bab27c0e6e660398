"""What a network that answers with a number minimises, and what is watched meanwhile."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from servery.models.families._examples import EncodedExamples
from servery.nn.network import Network
from servery.tasks.task import Calibration, LearnableTask

VALIDATION_BATCH = 1024


class NumberObjective:
    """Mean squared error, in variances of the training targets.

    Args:
        task: Measures the validation outputs.
        train_targets: float64, (rows,).
        validation: Encoded validation examples with their targets.
    """

    def __init__(self, task: LearnableTask, train_targets: np.ndarray, validation: EncodedExamples) -> None:
        self.task = task
        self.primary_metric = task.primary_metric
        self.validation = validation
        self.variance = float(train_targets.var()) or 1.0

    def loss(self, network: Network, inputs: dict[str, Tensor], targets: Tensor) -> Tensor:
        """Return the mean loss of a batch, a scalar."""
        errors = network(**inputs)[:, 0].float() - targets.float()
        loss: Tensor = (errors**2).mean() / self.variance
        return loss

    def validate(self, network: Network) -> dict[str, float]:
        """Return the metrics of the validation part."""
        outputs = self.outputs(network)
        return self.task.measure(self.validation.targets.numpy(), outputs, Calibration())

    def outputs(self, network: Network) -> np.ndarray:
        """Return the outputs of the validation part, float32, (rows, 1)."""
        device = next(network.parameters()).device
        results = []
        with torch.inference_mode():
            for start in range(0, len(self.validation), VALIDATION_BATCH):
                rows = np.arange(start, min(start + VALIDATION_BATCH, len(self.validation)))
                inputs = {name: array.to(device) for name, array in self.validation.inputs(rows).items()}
                results.append(network(**inputs).float().cpu().numpy())
        return np.concatenate(results)
