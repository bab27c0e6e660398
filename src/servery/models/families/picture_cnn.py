"""The residual convolutional network for pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from servery.data.dataset import Dataset
from servery.models.encoder import Encoder
from servery.models.encoders.pictures import Pictures
from servery.models.families._examples import EncodedExamples
from servery.models.families._network import TRAINING, NetworkSize
from servery.models.families._picture_network import PictureNetworkRecipe
from servery.models.recipe import Work

PHOTO_SIDE = 64
"""Pictures from this size on are photographs: shrunk early, seen a little smaller than they are kept."""
KEPT_TO_SEEN = 7 / 8
"""Share of a kept picture's side that the network sees (experiment on trashnet: 128 kept, 112 seen)."""
SIDE_STEP = 16
LAST_SIDE = 3.5
"""Places left along a side in the last stage, about."""


def shrink_of(picture: Pictures) -> int:
    """Return by what the stem divides the sides: small pictures are seen whole."""
    side = max(picture.width, picture.height)
    if side < PHOTO_SIDE:
        return 2 if picture.channels == 1 and side >= 24 else 1
    return 4 if side >= 96 else 2


def widths_of(hyperparameters: Mapping[str, Any], picture: Pictures) -> list[int]:
    """Return the channels of each stage: as asked for, or so many stages that few places are left."""
    if hyperparameters["widths"]:
        return list(hyperparameters["widths"])
    side = max(picture.width, picture.height)
    stages = int(np.clip(1 + round(np.log2(side / shrink_of(picture) / LAST_SIDE)), 2, 4))
    first = 16 if side < PHOTO_SIDE and picture.channels == 1 else 32
    return [first * 2**stage for stage in range(stages)]


class PictureCnn(PictureNetworkRecipe):
    """Stages of residual blocks, mean and maximum over what is left."""

    name = "cnn"
    title = "Residual convolutional network"
    summary = (
        "A small residual network with squeeze-and-excitation, trained with random crops "
        "(He et al. 2016, section 3; He et al. 2019, sections 3.1 and 4.1; Hu et al. 2018)."
    )
    network = "picture_cnn"
    least_epochs = 5
    most_epochs = 100
    least_steps = 5200
    smallest_batch = 32
    rows_per_batch_row = 150
    defaults = {
        **TRAINING,
        "learning_rate": 3e-3,
        "weight_decay": 0.05,
        "warmup_share": 0.1,
        "gradient_clip": 0.0,
        "label_smoothing": 0.1,
        "longest_side": 128,
        "widths": [],
        "depth": 1,
        "dropout": 0.2,
        "block_dropout": 0.05,
        "augmentation": "auto",
        "flip": "auto",
        "precision": "native",
    }
    search_space = {
        "learning_rate": (1e-3, 3e-3),
        "depth": (1, 2),
        "flip": ("none", "horizontal", "all"),
        "augmentation": ("light", "strong"),
    }

    def seen(self, found: Pictures) -> Pictures:
        """Return about 7/8 of the size of photographs, in steps of 16 pixels; small pictures as they are."""
        longest = max(found.width, found.height)
        if longest < PHOTO_SIDE:
            return found
        side = round(longest * KEPT_TO_SEEN / SIDE_STEP) * SIDE_STEP
        return found.resized(side / longest)

    def kept(self, seen: Pictures) -> Pictures:
        """Return the size before `seen`, so that a crop has something to come closer to."""
        return (
            seen
            if max(seen.width, seen.height) < PHOTO_SIDE * KEPT_TO_SEEN
            else seen.resized(1 / KEPT_TO_SEEN)
        )

    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Return the sizes found in the data and the stages."""
        assert isinstance(encoder, Pictures)
        means, deviations = self.channel_statistics(examples)
        return {
            "channels": encoder.channels,
            "means": means,
            "deviations": deviations,
            "widths": widths_of(work.hyperparameters, encoder),
            "depth": work.hyperparameters["depth"],
            "shrink": shrink_of(encoder),
            "labels": labels,
            "dropout": work.hyperparameters["dropout"],
            "block_dropout": work.hyperparameters["block_dropout"],
        }

    def size(self, dataset: Dataset, hyperparameters: Mapping[str, Any]) -> NetworkSize:
        """Count two 3 x 3 convolutions a block, over a picture that halves from stage to stage."""
        picture = self.picture(dataset, hyperparameters)
        places = picture.width * picture.height / shrink_of(picture) ** 2
        widths, depth = widths_of(hyperparameters, picture), hyperparameters["depth"]
        stages = [(18 * width**2 * depth, places / 4**stage) for stage, width in enumerate(widths)]
        multiplications = sum(weights * there for weights, there in stages)
        reason = (
            f"{picture.width} x {picture.height} pixels, {multiplications / 1e6:.0f} million products each"
        )
        example_bytes = picture.channels * picture.width * picture.height
        return NetworkSize(multiplications, sum(weights for weights, _ in stages), example_bytes, reason)


PICTURE_CNN = PictureCnn()
