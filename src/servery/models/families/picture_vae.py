"""The conditional variational autoencoder: the cheap way to draw."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from servery.data.dataset import Dataset
from servery.data.pixels import PictureShape
from servery.models.encoder import Encoder
from servery.models.encoders.prompts import Prompts
from servery.models.families._drawing import DRAWING, WATCHED, DrawingRecipe
from servery.models.families._examples import EncodedExamples
from servery.models.families._network import NetworkSize
from servery.models.recipe import Objective, Work
from servery.nn.network import Network
from servery.nn.networks.picture_vae import PictureVae

BATCH_ROWS = 128
LEAST_ERROR = 1e-5
"""Mean squared error of a pixel, below which the loss would only praise the rounding of bytes."""


class VaeObjective:
    """The evidence lower bound with the best fitting deviation of a pixel; a mean over pixels and their numbers.

    Source: Rybkin, Daniilidis, Levine (2021), Simple and effective VAE training with calibrated decoders, section 3.

    Args:
        validation: Pictures to watch.
    """

    primary_metric = WATCHED

    def __init__(self, validation: EncodedExamples) -> None:
        self.validation = validation

    def loss(self, network: Network, inputs: dict[str, Tensor], targets: Tensor) -> Tensor:
        """Return the mean loss of a batch for each number of a picture, a scalar."""
        assert isinstance(network, PictureVae)
        pictures, things = inputs["pixels"].float() / 255, inputs["thing"]
        mean, log_variance = (part.float() for part in network.encode(pictures, things))
        drawn = network(things, mean + (log_variance / 2).exp() * inputs["noise"]).float()
        error = ((drawn - pictures) ** 2).mean().clamp_min(LEAST_ERROR)
        divergence = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
        bound: Tensor = 0.5 * error.log() + divergence / math.prod(pictures.shape[1:])
        return bound

    def validate(self, network: Network) -> dict[str, float]:
        """Return the loss on the validation pictures, with the same noise every epoch."""
        device, losses = next(network.parameters()).device, 0.0
        with torch.inference_mode():
            for start in range(0, len(self.validation), BATCH_ROWS):
                rows = np.arange(start, min(start + BATCH_ROWS, len(self.validation)))
                inputs, targets = self.validation.batch(rows, 0, 0, start)
                moved = {name: array.to(device) for name, array in inputs.items()}
                losses += float(self.loss(network, moved, targets)) * len(rows)
        return {WATCHED: -losses / len(self.validation)}


class PictureVaeRecipe(DrawingRecipe):
    """A picture to a few numbers near standard normal ones, and back."""

    name = "vae"
    title = "Conditional variational autoencoder"
    summary = (
        "Pictures become a few numbers and pictures again; new numbers become new, soft pictures at once "
        "(Kingma and Welling 2014; Sohn et al. 2015, section 4)."
    )
    network = "picture_vae"
    draws_in_steps = False
    least_epochs = 10
    most_epochs = 200
    least_steps = 1500
    largest_batch = 64
    defaults = {**DRAWING, "learning_rate": 2e-3, "latent": 64, "widths": [32, 64, 96]}
    search_space = {"learning_rate": (1e-3, 2e-3), "latent": (32, 64, 128)}

    def noise(self, shape: PictureShape, hyperparameters: Mapping[str, Any]) -> tuple[int, ...]:
        """Return the numbers that a picture becomes."""
        return (hyperparameters["latent"],)

    def noised(
        self, work: Work, encoder: Prompts, pixels: np.ndarray, things: np.ndarray, is_training: bool
    ) -> EncodedExamples:
        """Return pictures; each batch brings its own noise."""
        latent = encoder.noise[0]

        def with_noise(inputs: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
            noise = torch.randn(len(inputs["thing"]), latent, generator=generator)
            return {**inputs, "noise": noise}

        return EncodedExamples({"pixels": np.ascontiguousarray(pixels), "thing": things}, things, with_noise)

    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Return the sizes found in the data and the stages."""
        assert isinstance(encoder, Prompts)
        return {
            "channels": int(examples.arrays["pixels"].shape[1]),
            "height": encoder.height,
            "width": encoder.width,
            "categories": len(encoder.things),
            "latent": encoder.noise[0],
            "widths": list(work.hyperparameters["widths"]),
        }

    def objective(
        self,
        work: Work,
        targets: np.ndarray,
        validation: EncodedExamples,
        labels: int,
        hyperparameters: Mapping[str, Any],
    ) -> Objective:
        """Return the evidence lower bound."""
        return VaeObjective(validation)

    def size(self, dataset: Dataset, hyperparameters: Mapping[str, Any]) -> NetworkSize:
        """Count the convolutions of both ways, and the layers between places and numbers."""
        channels, height, width = self.shape(dataset, hyperparameters)
        widths = hyperparameters["widths"]
        stages = [(9 * 7 * side**2, height * width / 4 ** (stage + 1)) for stage, side in enumerate(widths)]
        between = 3 * hyperparameters["latent"] * widths[-1] * height * width / 4 ** len(widths)
        multiplications = sum(weights * there for weights, there in stages) + between
        reason = f"{width} x {height} pixels, {multiplications / 1e6:.0f} million products each"
        weights = sum(weights for weights, _ in stages) + between
        return NetworkSize(multiplications, weights, channels * height * width, reason)


PICTURE_VAE = PictureVaeRecipe()
