"""The convolutional text network."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from servery.nn.convolution import WordConvolutions
from servery.nn.embedding import TokenEmbedding
from servery.nn.network import Network


class TextCnn(Network):
    """Filters over the words, the strongest answer of each, a linear layer.

    Source: Kim (2014), Convolutional neural networks for sentence classification, section 2.

    Args:
        vocabulary_size: Number of tokens.
        embedding_size: Length of a token's vector.
        widths: Tokens a filter sees.
        filters: Number of filters of each width.
        labels: Number of labels.
        token_dropout: Share of tokens left out in training.
        embedding_dropout: Share of the vectors' numbers left out in training.
        dropout: Share of the answers left out in training.
    """

    name = "text_cnn"
    axes = {"tokens": ("rows", "length")}

    def __init__(
        self,
        vocabulary_size: int,
        embedding_size: int,
        widths: Sequence[int],
        filters: int,
        labels: int,
        token_dropout: float,
        embedding_dropout: float,
        dropout: float,
    ) -> None:
        super().__init__()
        self.embedding = TokenEmbedding(vocabulary_size, embedding_size, token_dropout, embedding_dropout)
        self.convolutions = WordConvolutions(embedding_size, widths, filters)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(len(widths) * filters, labels)

    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        """Return the logits, (rows, labels).

        Args:
            tokens: int64, (rows, length), 0 at padding.
        """
        vectors, is_token = self.embedding(tokens)
        return self.out(self.dropout(self.convolutions(vectors, is_token)))  # type: ignore[no-any-return]
