"""The transformer encoder for texts."""

from __future__ import annotations

from torch import Tensor, nn

from servery.nn.attention import TransformerBlock, sine_positions
from servery.nn.embedding import EMBEDDING_DEVIATION, TokenEmbedding
from servery.nn.network import Network
from servery.nn.pooling import mean_and_max


class TextTransformer(Network):
    """Transformer blocks over the tokens, mean and maximum, a linear layer.

    Source: Vaswani et al. (2017), Attention is all you need, section 3 (the encoder), with pre-norm.

    Args:
        vocabulary_size: Number of tokens.
        embedding_size: Length of the vectors; even.
        heads: Heads of each block; divides `embedding_size`.
        num_layers: Number of blocks.
        max_tokens: Longest row.
        labels: Number of labels.
        token_dropout: Share of tokens left out in training.
        embedding_dropout: Share of the vectors' numbers left out in training.
        dropout: Share of numbers within blocks left out in training.
        head_dropout: Share of the pooled numbers left out in training.
    """

    name = "text_transformer"
    axes = {"tokens": ("rows", "length")}
    positions: Tensor

    def __init__(
        self,
        vocabulary_size: int,
        embedding_size: int,
        heads: int,
        num_layers: int,
        max_tokens: int,
        labels: int,
        token_dropout: float,
        embedding_dropout: float,
        dropout: float,
        head_dropout: float,
    ) -> None:
        super().__init__()
        size = embedding_size
        self.embedding = TokenEmbedding(vocabulary_size, size, token_dropout, embedding_dropout)
        # As small as the first token vectors: the place must not drown the word.
        positions = EMBEDDING_DEVIATION * sine_positions(max_tokens, size)
        self.register_buffer("positions", positions, persistent=False)
        self.blocks = nn.ModuleList(
            TransformerBlock(size, heads, 2 * size, dropout) for _ in range(num_layers)
        )
        self.norm = nn.LayerNorm(size)
        self.head = nn.Sequential(nn.Dropout(head_dropout), nn.Linear(2 * size, labels))

    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        """Return the logits, (rows, labels).

        Args:
            tokens: int64, (rows, length), 0 at padding.
        """
        vectors, is_token = self.embedding(tokens)
        vectors = vectors + self.positions[: tokens.shape[1]]
        for block in self.blocks:
            vectors = block(vectors, is_token)
        return self.head(mean_and_max(self.norm(vectors), is_token))  # type: ignore[no-any-return]
