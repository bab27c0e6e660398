"""Diffusion and flow matching: a U-Net that learns the way from noise to pictures of a category."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from servery.data.dataset import Dataset
from servery.data.pixels import PictureShape
from servery.models.encoder import Encoder
from servery.models.encoders.prompts import Prompts
from servery.models.families._drawing import DRAWING, DrawingRecipe
from servery.models.families._examples import EncodedExamples
from servery.models.families._network import NetworkSize
from servery.models.families._noised_pictures import NoisedPictures, NoiseObjective
from servery.models.noise_paths import find_path
from servery.models.recipe import Made, Objective, Work
from servery.models.runtimes.sampler import Sampler

FASTER = 3.0
"""Convolutions multiply so much faster than the small matrices that estimates go by (measured on crawl-tiles)."""


class DenoisingRecipe(DrawingRecipe):
    """A U-Net, classifier-free guidance, an average of the weights, a sampler of second order."""

    network = "denoising_unet"
    draws_in_steps = True
    path: ClassVar[str]
    least_epochs = 5
    most_epochs = 120
    least_steps = 9000
    largest_batch = 32
    smallest_batch = 16
    rows_per_batch_row = 50
    defaults = {
        **DRAWING,
        "learning_rate": 2e-3,
        "average_decay": 0.999,
        "patch": 2,
        "widths": [32, 64, 128],
        "depth": 1,
        "heads": 4,
        "dropout": 0.0,
        "drop_share": 0.1,
        "steps": 8,
        "guidance_scale": 2.0,
    }
    search_space = {
        "learning_rate": (5e-4, 1e-3, 2e-3),
        "widths": ([32, 64, 128], [48, 96, 128], [64, 128, 128]),
        "guidance_scale": (1.5, 2.0, 3.0),
    }

    def noise(self, shape: PictureShape, hyperparameters: Mapping[str, Any]) -> tuple[int, ...]:
        """Return the shape of a picture."""
        return shape

    def noised(
        self, work: Work, encoder: Prompts, pixels: np.ndarray, things: np.ndarray, is_training: bool
    ) -> NoisedPictures:
        """Return pictures at random times on their way; of the training ones some without their category."""
        share = work.hyperparameters["drop_share"] if is_training else 0.0
        return NoisedPictures(pixels, things, find_path(self.path), len(encoder.things), share)

    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Return the sizes found in the data and the stages."""
        assert isinstance(encoder, Prompts)
        asked = work.hyperparameters
        return {
            "channels": encoder.noise[0],
            "categories": len(encoder.things),
            "patch": asked["patch"],
            "widths": list(asked["widths"]),
            "depth": asked["depth"],
            "heads": asked["heads"],
            "dropout": asked["dropout"],
        }

    def objective(
        self,
        work: Work,
        targets: np.ndarray,
        validation: EncodedExamples,
        labels: int,
        hyperparameters: Mapping[str, Any],
    ) -> Objective:
        """Return the squared error of where pixels should go."""
        assert isinstance(validation, NoisedPictures)
        return NoiseObjective(validation)

    def make(self, work: Work) -> Made:
        """Encode, build, train, and put the network into its sampler."""
        made = super().make(work)
        predictor, asked = made.predictor, work.hyperparameters
        assert isinstance(predictor.encoder, Prompts)
        nothing = len(predictor.encoder.things)
        sampler = Sampler(predictor.runtime, self.path, nothing, asked["steps"], asked["guidance_scale"])
        return replace(made, predictor=replace(predictor, runtime=sampler))

    def size(self, dataset: Dataset, hyperparameters: Mapping[str, Any]) -> NetworkSize:
        """Count the 3 x 3 convolutions of both ways; the first ones on the way up read twice as much."""
        channels, height, width = self.shape(dataset, hyperparameters)
        places = height * width / hyperparameters["patch"] ** 2
        depth, widths = hyperparameters["depth"], hyperparameters["widths"]
        convolutions = [4.0 * depth + 1.5] * (len(widths) - 1) + [4.0 * depth]
        stages = [
            (9 * side**2 * count, places / 4**stage)
            for stage, (side, count) in enumerate(zip(widths, convolutions, strict=True))
        ]
        multiplications = sum(weights * there for weights, there in stages)
        reason = f"{width} x {height} pixels, {multiplications / 1e6:.0f} million products each"
        weights = sum(weights for weights, _ in stages)
        return NetworkSize(multiplications / FASTER, weights, channels * height * width, reason)


class FlowMatching(DenoisingRecipe):
    """Straight ways from noise to pictures."""

    name = "flow-matching"
    title = "Flow matching"
    summary = (
        "A small U-Net learns the straight way from noise to a picture, guided by its category "
        "(Lipman et al. 2023, section 4.1; Ho and Salimans 2022, section 3)."
    )
    path = "straight"


class Diffusion(DenoisingRecipe):
    """Noise taken away little by little."""

    name = "diffusion"
    title = "Denoising diffusion"
    summary = (
        "A small U-Net learns to tell noise from picture along a cosine schedule and draws without fresh noise "
        "(Ho et al. 2020, section 3; Nichol and Dhariwal 2021, section 3.2; Song et al. 2021, section 4)."
    )
    path = "cosine"


FLOW_MATCHING = FlowMatching()
DIFFUSION = Diffusion()
