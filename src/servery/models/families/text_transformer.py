"""The transformer encoder over texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from servery.models.encoder import Encoder
from servery.models.families._examples import EncodedExamples
from servery.models.families._text_network import TEXT_TRAINING, TextNetworkRecipe
from servery.models.recipe import Work


class TextTransformer(TextNetworkRecipe):
    """Blocks of self-attention; mean and maximum of the tokens' vectors."""

    name = "transformer"
    title = "Transformer encoder"
    summary = (
        "Self-attention blocks, normalised before (Vaswani et al. 2017, section 3; Xiong et al. 2020, "
        "figure 1b), trained from scratch."
    )
    network = "text_transformer"
    shape = ("heads", "num_layers")
    defaults = {
        **TEXT_TRAINING,
        "heads": 4,
        "num_layers": 2,
        "learning_rate": 1e-3,
        "token_dropout": 0.1,
        "embedding_dropout": 0.2,
        "dropout": 0.1,
        "head_dropout": 0.3,
    }
    search_space = {
        "learning_rate": (5e-4, 1e-3, 2e-3),
        "num_layers": (1, 2, 4),
        "embedding_size": (64, 128, 192),
    }

    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Add the longest row and the head's dropout; the embedding's size is that of all vectors."""
        arguments = super().arguments(work, encoder, examples, labels)
        return {
            **arguments,
            "max_tokens": work.hyperparameters["max_tokens"],
            "head_dropout": work.hyperparameters["head_dropout"],
        }

    def weights_of_a_token(self, hyperparameters: Mapping[str, Any], tokens: float) -> float:
        """Count the projections, the inner layers and the looks of each token at the others."""
        size = hyperparameters["embedding_size"]
        return float(hyperparameters["num_layers"] * (8 * size**2 + 2 * tokens * size))


TEXT_TRANSFORMER = TextTransformer()
