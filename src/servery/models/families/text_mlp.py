"""The text MLP: a bag of token vectors and one hidden layer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from servery.models.families._text_network import TEXT_TRAINING, TextNetworkRecipe


class TextMlp(TextNetworkRecipe):
    """Mean and maximum of the tokens' vectors, then a hidden layer."""

    name = "mlp"
    title = "Embedding bag and MLP"
    summary = (
        "Token vectors averaged, then one hidden layer: the deep averaging network "
        "(Iyyer et al. 2015, section 3)."
    )
    network = "bag_of_tokens"
    shape = ("hidden_size",)
    least_epochs = 6
    defaults = {
        **TEXT_TRAINING,
        "hidden_size": 128,
        "learning_rate": 5e-3,
        "token_dropout": 0.1,
        "embedding_dropout": 0.2,
    }
    search_space = {
        "learning_rate": (1e-3, 2e-3, 4e-3),
        "embedding_size": (64, 128, 256),
        "dropout": (0.3, 0.5),
    }

    def weights_of_a_token(self, hyperparameters: Mapping[str, Any], tokens: float) -> float:
        """Count the hidden layer, shared by the tokens of a text."""
        return float(2 * hyperparameters["embedding_size"] * hyperparameters["hidden_size"] / tokens)


TEXT_MLP = TextMlp()
