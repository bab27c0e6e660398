"""BERT's encoder as many pretrained sentence models use it: a vector a text, or a score a pair of texts."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.network import Network

POOLINGS = ("mean", "first", "score")


class _Block(nn.Module):
    """Attention, then a small network for each token; each is added to what came in and normalised after.

    Source: Vaswani et al. (2017), Attention is all you need, section 3.1 (post-norm).
    """

    def __init__(self, size: int, heads: int, inner_size: int, epsilon: float) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value = (nn.Linear(size, size) for _ in range(3))
        self.mixed = nn.Linear(size, size)
        self.mixed_norm = nn.LayerNorm(size, eps=epsilon)
        self.inner = nn.Linear(size, inner_size)
        self.outer = nn.Linear(inner_size, size)
        self.outer_norm = nn.LayerNorm(size, eps=epsilon)

    def forward(self, vectors: Tensor, is_token: Tensor) -> Tensor:
        rows, length, size = vectors.shape

        def by_head(projected: Tensor) -> Tensor:
            return projected.view(rows, length, self.heads, size // self.heads).transpose(1, 2)

        seen = functional.scaled_dot_product_attention(
            by_head(self.query(vectors)),
            by_head(self.key(vectors)),
            by_head(self.value(vectors)),
            attn_mask=is_token[:, None, None, :],
        )  # (rows, heads, length, size / heads)
        vectors = self.mixed_norm(vectors + self.mixed(seen.transpose(1, 2).reshape(rows, length, size)))
        inner = functional.gelu(self.inner(vectors))
        return cast(Tensor, self.outer_norm(vectors + self.outer(inner)))


class BertEncoder(Network):
    """Transformer blocks over tokens, then one vector or one score a row.

    Source: Devlin et al. (2019), BERT, section 3; mean pooling: Reimers and Gurevych (2019), Sentence-BERT,
    section 3; scores of pairs: Nogueira and Cho (2019), Passage re-ranking with BERT, section 3.

    Args:
        vocabulary_size: Number of tokens.
        size: Length of the vectors.
        heads: Heads of each block; divides `size`.
        num_layers: Number of blocks.
        inner_size: Width of the network of each token.
        max_tokens: Longest row.
        parts: Number of parts that a row's tokens can belong to.
        epsilon: Of the normalisations.
        pooling: "mean" of the tokens' vectors, the "first" token's, or a "score" computed from that.
    """

    name = "bert_encoder"
    axes = dict.fromkeys(("tokens", "parts", "is_token"), ("rows", "length"))

    def __init__(
        self,
        vocabulary_size: int,
        size: int,
        heads: int,
        num_layers: int,
        inner_size: int,
        max_tokens: int,
        parts: int,
        epsilon: float,
        pooling: str,
    ) -> None:
        super().__init__()
        if pooling not in POOLINGS:
            raise ValueError(f"pooling {pooling!r}; known: {', '.join(POOLINGS)}")
        self.pooling = pooling
        self.words = nn.Embedding(vocabulary_size, size)
        self.places = nn.Embedding(max_tokens, size)
        self.parts = nn.Embedding(parts, size)
        self.norm = nn.LayerNorm(size, eps=epsilon)
        self.blocks = nn.ModuleList(_Block(size, heads, inner_size, epsilon) for _ in range(num_layers))
        if pooling == "score":
            self.summary = nn.Linear(size, size)
            self.score = nn.Linear(size, 1)

    def forward(self, tokens: Tensor, parts: Tensor, is_token: Tensor) -> Tensor:  # type: ignore[override]
        """Return the number of tokens of each row and what was pooled of them, (rows, 1 + size) or (rows, 2).

        Args:
            tokens: int64, (rows, length).
            parts: int64, (rows, length), which text a token belongs to.
            is_token: int64, (rows, length), 0 at padding.
        """
        vectors = self.layers(tokens, parts, is_token)[-1]
        weights = is_token.unsqueeze(2).to(vectors.dtype)  # (rows, length, 1)
        count = weights.sum(dim=1)
        return torch.cat([count, self._pooled(vectors, weights, count)], dim=1)

    def layers(self, tokens: Tensor, parts: Tensor, is_token: Tensor) -> list[Tensor]:
        """Return the vectors of the tokens before the first block and after each, each (rows, length, size).

        Args:
            tokens: As of `forward`.
            parts: As of `forward`.
            is_token: As of `forward`.
        """
        places = torch.arange(tokens.shape[1], device=tokens.device)
        found = [self.norm(self.words(tokens) + self.places(places) + self.parts(parts))]
        for block in self.blocks:
            found.append(block(found[-1], is_token > 0))
        return found

    def _pooled(self, vectors: Tensor, weights: Tensor, count: Tensor) -> Tensor:
        if self.pooling == "mean":
            return (vectors * weights).sum(dim=1) / count.clamp(min=1.0)
        first = vectors[:, 0]
        return cast(Tensor, self.score(torch.tanh(self.summary(first)))) if self.pooling == "score" else first
