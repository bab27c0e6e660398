"""The recurrent text network: Elman, LSTM or GRU, in both directions."""

from __future__ import annotations

from torch import Tensor, nn

from servery.nn.embedding import TokenEmbedding
from servery.nn.network import Network
from servery.nn.pooling import mean_and_max
from servery.nn.recurrence import BothDirections


class Recurrent(Network):
    """Recurrent layers, mean and maximum of their states, a linear layer.

    Args:
        cell: "rnn", "lstm" or "gru".
        vocabulary_size: Number of tokens.
        embedding_size: Length of a token's vector.
        hidden_size: Length of the state of each direction.
        num_layers: Number of layers.
        labels: Number of labels.
        token_dropout: Share of tokens left out in training.
        embedding_dropout: Share of the vectors' numbers left out in training.
        dropout: Share of the states' numbers left out in training.
    """

    name = "recurrent"
    axes = {"tokens": ("rows", "length")}

    def __init__(
        self,
        cell: str,
        vocabulary_size: int,
        embedding_size: int,
        hidden_size: int,
        num_layers: int,
        labels: int,
        token_dropout: float,
        embedding_dropout: float,
        dropout: float,
    ) -> None:
        super().__init__()
        self.embedding = TokenEmbedding(vocabulary_size, embedding_size, token_dropout, embedding_dropout)
        sizes = [embedding_size] + [2 * hidden_size] * (num_layers - 1)
        self.layers = nn.ModuleList(BothDirections(cell, size, hidden_size) for size in sizes)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(4 * hidden_size, labels)

    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        """Return the logits, (rows, labels).

        Args:
            tokens: int64, (rows, length), 0 at padding.
        """
        vectors, is_token = self.embedding(tokens)
        for number, layer in enumerate(self.layers):
            vectors = layer(self.dropout(vectors) if number else vectors, is_token)
        return self.out(self.dropout(mean_and_max(vectors, is_token)))  # type: ignore[no-any-return]
