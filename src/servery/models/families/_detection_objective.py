"""What a detector minimises: the focal loss of the centres' map and the overlap of its boxes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from servery.models.families._detection_examples import DetectionExamples
from servery.nn.networks.centre_detector import STRIDE, CentreDetector
from servery.tasks.task import Calibration, LearnableTask

BOX_WEIGHT = 5.0
"""Of the boxes' loss beside the centres' (Liu et al. 2020, section 5.1)."""
VALIDATION_BATCH = 32


class DetectionObjective:
    """Focal loss for where things are, generalised overlap for how far their edges are.

    Sources: Zhou, Wang, Kraehenbuehl (2019), Objects as points, equation 1; Rezatofighi et al. (2019), Generalized
    intersection over union, section 3; Liu et al. (2020), Training-time-friendly network, equation 5.

    Args:
        task: Measures the validation outputs.
        validation: Encoded validation examples with their things.
    """

    def __init__(self, task: LearnableTask, validation: DetectionExamples) -> None:
        self.task = task
        self.primary_metric = task.primary_metric
        self.validation = validation

    def loss(self, network: CentreDetector, inputs: dict[str, Tensor], targets: dict[str, Tensor]) -> Tensor:
        """Return the mean loss of a batch, a scalar."""
        logits, distances = network.maps(inputs["pixels"])
        return focal_loss(logits.float(), targets["centres"]) + BOX_WEIGHT * box_loss(
            distances, targets["edges"], targets["weights"]
        )

    def validate(self, network: CentreDetector) -> dict[str, float]:
        """Return the metrics of the validation part."""
        results = []
        for start in range(0, len(self.validation), VALIDATION_BATCH):
            rows = np.arange(start, min(start + VALIDATION_BATCH, len(self.validation)))
            device = next(network.parameters()).device
            inputs = {name: array.to(device) for name, array in self.validation.inputs(rows).items()}
            with torch.inference_mode():
                results.append(network(**inputs).float().cpu().numpy())
        return self.task.measure(self.validation.things, np.concatenate(results), Calibration())


def focal_loss(logits: Tensor, centres: Tensor) -> Tensor:
    """Return the loss of the centres' map, for each thing.

    Places that are sure and right count little, places near a centre are forgiven.

    Args:
        logits: (rows, labels, height, width).
        centres: Bumps, 1 at the centres, of the same shape.
    """
    scores = torch.sigmoid(logits)
    is_centre = centres >= 1.0
    found = -functional.logsigmoid(logits) * (1 - scores) ** 2
    empty = -functional.logsigmoid(-logits) * scores**2 * (1 - centres) ** 4
    things = is_centre.sum().clamp(min=1)
    return torch.where(is_centre, found, empty).sum() / things


def box_loss(distances: Tensor, edges: Tensor, weights: Tensor) -> Tensor:
    """Return the mean of 1 - generalised overlap over the places that tell a box.

    Args:
        distances: To the edges, in pixels, (rows, 4, height, width).
        edges: xmin, ymin, xmax, ymax in pixels, of the same shape.
        weights: How much each place counts, (rows, height, width).
    """
    rows, down, across = torch.nonzero(weights > 0, as_tuple=True)
    left, top, right, bottom = distances[rows, :, down, across].unbind(dim=1)  # each (places,)
    x, y = (across + 0.5) * STRIDE, (down + 0.5) * STRIDE
    said = torch.stack([x - left, y - top, x + right, y + bottom], dim=1)
    losses = 1 - generalised_overlap(said, edges[rows, :, down, across])
    counts = weights[rows, down, across]
    return (losses * counts).sum() / counts.sum().clamp(min=1)


def generalised_overlap(first: Tensor, second: Tensor) -> Tensor:
    """Return intersection over union, less the share of the enclosing box that is in neither, (pairs,).

    Args:
        first: xmin, ymin, xmax, ymax, (pairs, 4).
        second: Likewise.
    """
    both = _area(torch.maximum(first[:, :2], second[:, :2]), torch.minimum(first[:, 2:], second[:, 2:]))
    around = _area(torch.minimum(first[:, :2], second[:, :2]), torch.maximum(first[:, 2:], second[:, 2:]))
    either = _area(first[:, :2], first[:, 2:]) + _area(second[:, :2], second[:, 2:]) - both
    return both / either.clamp(min=1e-6) - (around - either) / around.clamp(min=1e-6)


def _area(low: Tensor, high: Tensor) -> Tensor:
    return (high - low).clamp(min=0).prod(dim=1)
