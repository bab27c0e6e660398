"""The residual convolutional network for pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from servery.data.dataset import Dataset
from servery.models.encoder import Encoder
from servery.models.encoders.pictures import Pictures
from servery.models.families._examples import EncodedExamples
from servery.models.families._network import TRAINING, NetworkSize
from servery.models.families._picture_network import PictureNetworkRecipe
from servery.models.recipe import Work

SIDE_AFTER_STEM = 32
"""The stem shrinks a picture by 2 or 4 until a side is at most about this."""


def shrink_of(width: int, height: int) -> int:
    """Return by what the stem divides: small pictures are seen whole.

    >>> shrink_of(28, 28), shrink_of(64, 64), shrink_of(128, 96)
    (1, 2, 4)
    """
    side = max(width, height)
    return 1 if side <= SIDE_AFTER_STEM * 1.5 else 2 if side <= SIDE_AFTER_STEM * 2.5 else 4


class PictureCnn(PictureNetworkRecipe):
    """Stages of residual blocks, the mean over what is left."""

    name = "cnn"
    title = "Residual convolutional network"
    summary = (
        "A small residual network with pooling, trained with random crops "
        "(He et al. 2016, section 3; He et al. 2019, sections 3.1 and 4.1)."
    )
    network = "picture_cnn"
    least_epochs = 15
    most_epochs = 60
    least_steps = 1500
    smallest_batch = 32
    defaults = {
        **TRAINING,
        "learning_rate": 3e-3,
        "weight_decay": 0.05,
        "warmup_share": 0.15,
        "patience": 20,
        "gradient_clip": 0.0,
        "average_decay": 0.99,
        "label_smoothing": 0.1,
        "longest_side": 112,
        "widths": [32, 64, 128, 256],
        "depth": 1,
        "dropout": 0.2,
        "smallest_crop": 0.5,
        "rotation_degrees": 15.0,
        "flip": "auto",
        "jitter": 0.2,
    }
    search_space = {
        "learning_rate": (1e-3, 3e-3),
        "depth": (1, 2),
        "flip": ("none", "horizontal", "all"),
        "smallest_crop": (0.3, 0.5, 0.8),
    }

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
            "widths": list(work.hyperparameters["widths"]),
            "depth": work.hyperparameters["depth"],
            "shrink": shrink_of(encoder.width, encoder.height),
            "labels": labels,
            "dropout": work.hyperparameters["dropout"],
        }

    def size(self, dataset: Dataset, hyperparameters: Mapping[str, Any]) -> NetworkSize:
        """Count two 3 x 3 convolutions a block, over a picture that halves from stage to stage."""
        picture = self.picture(dataset, hyperparameters)
        places = picture.width * picture.height / shrink_of(picture.width, picture.height) ** 2
        widths, depth = hyperparameters["widths"], hyperparameters["depth"]
        stages = [(18 * width**2 * depth, places / 4**stage) for stage, width in enumerate(widths)]
        multiplications = sum(weights * there for weights, there in stages)
        reason = (
            f"{picture.width} x {picture.height} pixels, {multiplications / 1e6:.0f} million products each"
        )
        example_bytes = picture.channels * picture.width * picture.height
        return NetworkSize(multiplications, sum(weights for weights, _ in stages), example_bytes, reason)


PICTURE_CNN = PictureCnn()
