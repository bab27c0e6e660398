"""What the recipes of text networks have in common: tokens, noise in training, estimates."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.models.encoder import Encoder
from servery.models.encoders.tokens import CHARACTERS_PER_TOKEN, Tokens
from servery.models.families._assembly import columns_for
from servery.models.families._examples import EncodedExamples, TokenExamples
from servery.models.families._measures import mean_characters, mean_tokens
from servery.models.families._network import TRAINING, NetworkRecipe, NetworkSize
from servery.models.recipe import Work

TEXT_TRAINING: Mapping[str, Any] = {
    **TRAINING,
    "vocabulary_size": 12_000,
    "max_tokens": 256,
    "embedding_size": 128,
    "token_dropout": 0.2,
    "embedding_dropout": 0.5,
    "dropout": 0.5,
}


class TextNetworkRecipe(NetworkRecipe):
    """A network that reads token numbers."""

    form = "text"
    shape: ClassVar[tuple[str, ...]]
    """Hyperparameters that are the network's arguments of the same name."""

    def columns(self, dataset: Dataset) -> tuple[Column, ...]:
        """Return the text columns."""
        return columns_for(dataset, frozenset({Kind.TEXT}))

    def fit_encoder(
        self, work: Work, columns: tuple[Column, ...], examples: Sequence[Mapping[str, Any]]
    ) -> Tokens:
        """Learn the tokens of the training texts."""
        return Tokens.fit(
            examples,
            [column.name for column in columns],
            vocabulary_size=work.hyperparameters["vocabulary_size"],
            max_tokens=work.hyperparameters["max_tokens"],
        )

    def examples(
        self,
        work: Work,
        encoder: Encoder,
        rows: Sequence[Mapping[str, Any]],
        targets: np.ndarray,
        is_training: bool,
    ) -> EncodedExamples:
        """Encode the texts, cut at max_tokens; how many were cut is said."""
        assert isinstance(encoder, Tokens)
        texts = encoder.rows(rows, cut=True)
        if is_training:
            at_limit = sum(len(text) == encoder.max_tokens for text in texts)
            work.progress.say(
                "Encode",
                f"{encoder.vocabulary_size:,} tokens in the vocabulary; "
                f"{at_limit:,} of {len(texts):,} texts reach the limit of {encoder.max_tokens} tokens and are cut",
            )
        return TokenExamples(texts, targets)

    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Return the hyperparameters that shape the network, and the sizes found in the data."""
        assert isinstance(encoder, Tokens)
        shape = {name: work.hyperparameters[name] for name in (*self.shape, *NOISE)}
        return {**shape, "vocabulary_size": encoder.vocabulary_size, "labels": labels}

    @abstractmethod
    def weights_of_a_token(self, hyperparameters: Mapping[str, Any], tokens: float) -> float:
        """Return how many multiplications one token takes, in a text of so many tokens."""

    def size(self, dataset: Dataset, hyperparameters: Mapping[str, Any]) -> NetworkSize:
        """Estimate from the mean number of tokens and the vocabulary."""
        tokens = mean_tokens(dataset, hyperparameters["max_tokens"])
        learnable = 256 + mean_characters(dataset) * len(dataset) / CHARACTERS_PER_TOKEN
        vocabulary = min(hyperparameters["vocabulary_size"], learnable)
        a_token = self.weights_of_a_token(hyperparameters, tokens)
        weights = vocabulary * hyperparameters["embedding_size"] + a_token
        return NetworkSize(tokens * a_token, weights, 12 * tokens, f"about {tokens:.0f} tokens each")


NOISE = ("embedding_size", "token_dropout", "embedding_dropout", "dropout")
