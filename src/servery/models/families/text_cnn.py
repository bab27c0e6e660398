"""The convolutional network over texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from servery.models.families._text_network import TEXT_TRAINING, TextNetworkRecipe


class TextCnn(TextNetworkRecipe):
    """Filters over neighbouring tokens; of each the strongest answer."""

    name = "cnn"
    title = "Convolutional network"
    summary = (
        "Filters over one to four neighbouring words, the strongest answer of each (Kim 2014, section 2)."
    )
    network = "text_cnn"
    shape = ("widths", "filters")
    defaults = {**TEXT_TRAINING, "widths": [1, 2, 3, 4], "filters": 128}
    search_space = {
        "learning_rate": (1e-3, 2e-3, 4e-3),
        "filters": (64, 128, 256),
        "dropout": (0.3, 0.5),
    }

    def weights_of_a_token(self, hyperparameters: Mapping[str, Any], tokens: float) -> float:
        """Count the filters."""
        size, filters = hyperparameters["embedding_size"], hyperparameters["filters"]
        return float(size * filters * sum(hyperparameters["widths"]))


TEXT_CNN = TextCnn()
