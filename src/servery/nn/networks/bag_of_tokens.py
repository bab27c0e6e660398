"""The text MLP: mean and maximum of the tokens' vectors, then one hidden layer."""

from __future__ import annotations

from torch import Tensor, nn

from servery.nn.embedding import TokenEmbedding
from servery.nn.network import Network
from servery.nn.pooling import mean_and_max


class BagOfTokens(Network):
    """Tokens without their order.

    Source: Iyyer et al. (2015), Deep unordered composition rivals syntactic methods, section 3.

    Args:
        vocabulary_size: Number of tokens.
        embedding_size: Length of a token's vector.
        hidden_size: Width of the hidden layer.
        labels: Number of labels.
        token_dropout: Share of tokens left out in training.
        embedding_dropout: Share of the vectors' numbers left out in training.
        dropout: Share of hidden numbers left out in training.
    """

    name = "bag_of_tokens"
    axes = {"tokens": ("rows", "length")}

    def __init__(
        self,
        vocabulary_size: int,
        embedding_size: int,
        hidden_size: int,
        labels: int,
        token_dropout: float,
        embedding_dropout: float,
        dropout: float,
    ) -> None:
        super().__init__()
        self.embedding = TokenEmbedding(vocabulary_size, embedding_size, token_dropout, embedding_dropout)
        self.head = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(2 * embedding_size, hidden_size),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_size, labels),
        )

    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        """Return the logits, (rows, labels).

        Args:
            tokens: int64, (rows, length), 0 at padding.
        """
        vectors, is_token = self.embedding(tokens)
        return self.head(mean_and_max(vectors, is_token))  # type: ignore[no-any-return]
