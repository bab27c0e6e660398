"""Self-attention and the transformer block."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional


def sine_positions(length: int, size: int) -> Tensor:
    """Return the vectors of the places 0 ... length - 1, (length, size).

    Source: Vaswani et al. (2017), Attention is all you need, section 3.5.

    >>> sine_positions(2, 4)[0]
    tensor([0., 1., 0., 1.])
    """
    rates = torch.exp(torch.arange(0, size, 2) * (-math.log(10_000.0) / size))  # (size / 2,)
    angles = torch.arange(length).unsqueeze(1) * rates  # (length, size / 2)
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :size]


class SelfAttention(nn.Module):
    """Every token looks at every token of its row.

    Source: Vaswani et al. (2017), Attention is all you need, section 3.2.

    Args:
        size: Length of the vectors.
        heads: Number of heads; divides `size`.
        dropout: Share of looks left out in training.
    """

    def __init__(self, size: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = dropout
        self.queries_keys_values = nn.Linear(size, 3 * size)
        self.out = nn.Linear(size, size)

    def forward(self, vectors: Tensor, is_token: Tensor) -> Tensor:
        """Return new vectors, (rows, length, size).

        Args:
            vectors: (rows, length, size).
            is_token: bool, (rows, length).
        """
        rows, length, size = vectors.shape
        parts = self.queries_keys_values(vectors).view(rows, length, 3, self.heads, size // self.heads)
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)  # each (rows, heads, length, size / heads)
        mixed = functional.scaled_dot_product_attention(
            queries,
            keys,
            values,
            attn_mask=is_token[:, None, None, :],
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.out(mixed.transpose(1, 2).reshape(rows, length, size))  # type: ignore[no-any-return]


class TransformerBlock(nn.Module):
    """Attention, then a small network for each token; each is normalised before and added to what came in.

    Source: Xiong et al. (2020), On layer normalization in the transformer architecture, figure 1b (pre-norm).

    Args:
        size: Length of the vectors.
        heads: Number of heads.
        inner_size: Width of the network of each token.
        dropout: Share of numbers left out in training.
    """

    def __init__(self, size: int, heads: int, inner_size: int, dropout: float) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(size)
        self.attention = SelfAttention(size, heads, dropout)
        self.each_token = nn.Sequential(
            nn.LayerNorm(size),
            nn.Linear(size, inner_size),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(inner_size, size),
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, vectors: Tensor, is_token: Tensor) -> Tensor:
        """Return new vectors, (rows, length, size)."""
        vectors = vectors + self.dropout(self.attention(self.norm_attention(vectors), is_token))
        return vectors + self.dropout(self.each_token(vectors))  # type: ignore[no-any-return]
