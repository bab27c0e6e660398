"""The picture MLP, for instance 784-128-10."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from servery.data.dataset import Dataset
from servery.models.encoder import Encoder
from servery.models.encoders.pictures import Pictures
from servery.models.families._examples import EncodedExamples
from servery.models.families._measures import label_count_of
from servery.models.families._network import TRAINING, NetworkSize
from servery.models.families._picture_network import PictureNetworkRecipe
from servery.models.recipe import Work


class PictureMlp(PictureNetworkRecipe):
    """Every pixel to every hidden unit."""

    name = "mlp"
    title = "Multi-layer perceptron"
    summary = (
        "Pixels side by side, one hidden layer, for instance 784-128-10 for ten digits of 28 x 28 "
        "(LeCun et al. 1998, section III-C.5)."
    )
    network = "picture_mlp"
    least_epochs = 10
    defaults = {
        **TRAINING,
        "learning_rate": 1e-3,
        "average_decay": 0.0,
        "longest_side": 32,
        "hidden_sizes": [128],
        "dropout": 0.2,
        "augmentation": "none",
        "flip": "none",
    }
    search_space = {
        "learning_rate": (5e-4, 1e-3, 2e-3),
        "hidden_sizes": ([128], [256], [256, 128]),
        "dropout": (0.0, 0.2, 0.4),
    }

    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Return the sizes found in the data and the hidden layers."""
        assert isinstance(encoder, Pictures)
        means, deviations = self.channel_statistics(examples)
        return {
            "channels": encoder.channels,
            "height": encoder.height,
            "width": encoder.width,
            "means": means,
            "deviations": deviations,
            "hidden_sizes": list(work.hyperparameters["hidden_sizes"]),
            "labels": labels,
            "dropout": work.hyperparameters["dropout"],
        }

    def size(self, dataset: Dataset, hyperparameters: Mapping[str, Any]) -> NetworkSize:
        """Count the layers."""
        picture = self.picture(dataset, hyperparameters)
        pixels = picture.channels * picture.width * picture.height
        sizes = [pixels, *hyperparameters["hidden_sizes"], label_count_of(dataset)]
        weights = float(sum(a * b for a, b in pairwise(sizes)))
        return NetworkSize(weights, weights, pixels, f"{picture.width} x {picture.height} pixels")


PICTURE_MLP = PictureMlp()
