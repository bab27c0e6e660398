"""What a network that answers with labels minimises, and what is watched meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from servery.models.families._examples import EncodedExamples
from servery.nn.network import Network
from servery.tasks.task import Calibration, LearnableTask

VALIDATION_BATCH = 256


class LabelObjective:
    """Cross entropy where one label fits; binary cross entropy, summed over labels, where several may.

    Source of label smoothing: Szegedy et al. (2016), Rethinking the inception architecture, section 7.

    Args:
        task: Measures the validation outputs.
        train_targets: int64 (rows,), or float32 (rows, labels).
        validation: Encoded validation examples with their targets.
        label_count: Number of labels.
        hyperparameters: Gives label_smoothing and class_weights.
    """

    def __init__(
        self,
        task: LearnableTask,
        train_targets: np.ndarray,
        validation: EncodedExamples,
        label_count: int,
        hyperparameters: Mapping[str, Any],
    ) -> None:
        self.task = task
        self.primary_metric = task.primary_metric
        self.validation = validation
        self.smoothing = float(hyperparameters["label_smoothing"])
        is_balanced = hyperparameters["class_weights"] == "balanced"
        self.weights = _balanced(train_targets, label_count) if is_balanced else None
        self._order = _by_size(validation)

    def loss(self, network: Network, inputs: dict[str, Tensor], targets: Tensor) -> Tensor:
        """Return the mean loss of a batch, a scalar."""
        outputs = network(**inputs).float()
        weights = self.weights.to(outputs.device) if self.weights is not None else None
        if targets.ndim == 1:
            return functional.cross_entropy(outputs, targets, weights, label_smoothing=self.smoothing)
        smoothed = targets * (1 - self.smoothing) + self.smoothing / 2
        losses = functional.binary_cross_entropy_with_logits(
            outputs, smoothed, pos_weight=weights, reduction="none"
        )
        return losses.sum(dim=1).mean()

    def validate(self, network: Network) -> dict[str, float]:
        """Return the metrics of the validation part; thresholds of several labels a row are tuned first."""
        targets, outputs = self.validation.targets.numpy(), self.outputs(network)
        calibration = self.task.calibrate(targets, outputs) if targets.ndim == 2 else Calibration()
        return self.task.measure(targets, outputs, calibration)

    def outputs(self, network: Network) -> np.ndarray:
        """Return the logits of the validation part, float32, (rows, labels)."""
        device = next(network.parameters()).device
        chunks = [
            self._order[start : start + VALIDATION_BATCH]
            for start in range(0, len(self._order), VALIDATION_BATCH)
        ]
        with torch.inference_mode():
            results = []
            for rows in chunks:
                inputs = {name: array.to(device) for name, array in self.validation.inputs(rows).items()}
                results.append(network(**inputs).float().cpu().numpy())
        joined = np.concatenate(results)
        restored = np.empty_like(joined)
        restored[self._order] = joined
        return restored


def _by_size(examples: EncodedExamples) -> np.ndarray:
    lengths = getattr(examples, "lengths", None)
    return np.arange(len(examples)) if lengths is None else np.argsort(lengths, kind="stable")


def _balanced(targets: np.ndarray, label_count: int) -> Tensor:
    if targets.ndim == 1:
        counts = np.bincount(targets, minlength=label_count).clip(1)
        return torch.tensor(len(targets) / (label_count * counts), dtype=torch.float32)
    carrying = targets.sum(axis=0).clip(1)
    return torch.tensor((len(targets) - carrying).clip(1) / carrying, dtype=torch.float32)
