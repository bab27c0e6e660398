"""The blocks of a causal decoder: over whole texts, and over new tokens beside the kept keys and values of old ones.

The modules carry the names of the Hugging Face layout, so that `state_dict` is the checkpoint.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.key_value_pages import KeyValuePages
from servery.nn.rotary import rotated


@dataclass(frozen=True, slots=True)
class Shelf:
    """Rows that lie side by side in a step and have equally many pages.

    Attributes:
        rows: The rows.
        shelves: From `KeyValuePages.shelves_of`.
        hidden: 0 where a query may look at a key, minus infinity elsewhere, (rows, 1, queries, keys); the heads that
            share a key stand behind each other as if they were further queries.
    """

    rows: slice
    shelves: Tensor
    hidden: Tensor


@dataclass(frozen=True, slots=True)
class Step:
    """New tokens of several texts; the same number of each.

    Attributes:
        tokens: int64, (rows, tokens).
        places: Where each stands in its text, int64, (rows, tokens).
        written: Where their keys and values go, from `KeyValuePages.places_of`, (rows * tokens * key_value_heads,).
        shelves: All rows in groups.
    """

    tokens: Tensor
    places: Tensor
    written: Tensor
    shelves: Sequence[Shelf]


class MeanSquareNorm(nn.Module):
    """Divides a vector by the root of its mean square.

    Source: Zhang and Sennrich (2019), Root mean square layer normalization, section 4. Written out, since torch's own
    takes twice the time on a few short vectors.
    """

    def __init__(self, size: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.epsilon = epsilon

    def forward(self, vectors: Tensor) -> Tensor:
        """Return vectors of the same shape."""
        mean_square = vectors.square().mean(-1, keepdim=True)
        return vectors * (mean_square + self.epsilon).rsqrt() * self.weight


def joined(layers: Sequence[nn.Linear]) -> tuple[Tensor, Tensor | None]:
    """Return the weights and biases of several layers as those of one; the layers keep views of them.

    Training would pull the layers and the whole apart: this is for networks that only answer.
    """
    # What goes in lies outermost in memory: products of few rows take a third less time than the other way round.
    weight = torch.cat([layer.weight.data for layer in layers]).t().contiguous().t()
    bias = None if layers[0].bias is None else torch.cat([layer.bias.data for layer in layers])
    start = 0
    for layer in layers:
        end = start + len(layer.weight)
        layer.weight.data = weight[start:end]
        if bias is not None:
            layer.bias.data = bias[start:end]
        start = end
    return weight, bias


class GroupedAttention(nn.Module):
    """Every token looks at those before it; several heads share one key and value.

    Source: Ainslie et al. (2023), GQA: training generalized multi-query transformer models, section 2.2.
    """

    def __init__(
        self, hidden_size: int, heads: int, key_value_heads: int, head_size: int, input_bias: bool, bias: bool
    ) -> None:
        super().__init__()
        self.heads, self.key_value_heads, self.head_size = heads, key_value_heads, head_size
        self.q_proj = nn.Linear(hidden_size, heads * head_size, bias=input_bias)
        self.k_proj = nn.Linear(hidden_size, key_value_heads * head_size, bias=input_bias)
        self.v_proj = nn.Linear(hidden_size, key_value_heads * head_size, bias=input_bias)
        self.o_proj = nn.Linear(heads * head_size, hidden_size, bias=bias)
        self.joined: tuple[Tensor, Tensor | None] | None = None

    def parts(self, vectors: Tensor, turns: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries (..., heads, head_size), keys and values (..., key_value_heads, head_size).

        Args:
            vectors: (..., hidden_size).
            turns: Cosines and sines, each (..., 1, head_size).
        """
        projections = (self.q_proj, self.k_proj, self.v_proj)
        if self.joined is None:
            together = torch.cat([projection(vectors) for projection in projections], dim=-1)
        else:
            together = functional.linear(vectors, *self.joined)
        parts = together.view(*vectors.shape[:-1], -1, self.head_size)
        turned = rotated(parts[..., : self.heads + self.key_value_heads, :], *turns)
        return (
            turned[..., : self.heads, :],
            turned[..., self.heads :, :],
            parts[..., -self.key_value_heads :, :],
        )

    def forward(self, vectors: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        """Return new vectors of whole texts, (rows, length, hidden_size)."""
        queries, keys, values = (part.transpose(1, 2) for part in self.parts(vectors, turns))
        mixed = functional.scaled_dot_product_attention(
            queries, keys, values, is_causal=True, enable_gqa=self.heads != self.key_value_heads
        )
        return self.o_proj(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def join(self) -> None:
        """Lay the three projections side by side in memory, so that they are one product."""
        self.joined = joined([self.q_proj, self.k_proj, self.v_proj])
        joined([self.o_proj])

    def look(self, queries: Tensor, keys: Tensor, values: Tensor, hidden: Tensor) -> Tensor:
        """Return what new tokens see in their texts, (rows, tokens, heads * head_size).

        Args:
            queries: (rows, tokens, heads, head_size).
            keys: (rows, key_value_heads, length, head_size).
            values: As `keys`.
            hidden: (rows, 1, heads / key_value_heads * tokens, length), see `Shelf`.
        """
        rows, tokens = queries.shape[:2]
        shared = self.heads // self.key_value_heads
        asked = queries.reshape(rows, tokens, self.key_value_heads, shared, self.head_size)
        asked = asked.permute(0, 2, 3, 1, 4).reshape(rows, self.key_value_heads, shared * tokens, -1)
        mixed = functional.scaled_dot_product_attention(asked, keys, values, attn_mask=hidden)
        mixed = mixed.view(rows, self.key_value_heads, shared, tokens, self.head_size)
        return mixed.permute(0, 3, 1, 2, 4).reshape(rows, tokens, -1)


class GatedNetwork(nn.Module):
    """The small network of each token.

    Source: Shazeer (2020), GLU variants improve transformer, section 2 (SwiGLU).
    """

    def __init__(self, hidden_size: int, inner_size: int) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(hidden_size, inner_size, bias=False)
        self.up_proj = nn.Linear(hidden_size, inner_size, bias=False)
        self.down_proj = nn.Linear(inner_size, hidden_size, bias=False)

        self.joined: tuple[Tensor, Tensor | None] | None = None

    def forward(self, vectors: Tensor) -> Tensor:
        """Return new vectors of the same shape."""
        if self.joined is None:
            gate, up = self.gate_proj(vectors), self.up_proj(vectors)
        else:
            gate, up = functional.linear(vectors, *self.joined).chunk(2, dim=-1)
        return self.down_proj(functional.silu(gate) * up)  # type: ignore[no-any-return]

    def join(self) -> None:
        """Lay the two projections side by side in memory, so that they are one product."""
        self.joined = joined([self.gate_proj, self.up_proj])
        joined([self.down_proj])


class DecoderBlock(nn.Module):
    """Attention, then the small network; each is normalised before and added to what came in."""

    def __init__(
        self, attention: GroupedAttention, hidden_size: int, inner_size: int, norm_epsilon: float
    ) -> None:
        super().__init__()
        self.input_layernorm = MeanSquareNorm(hidden_size, norm_epsilon)
        self.self_attn = attention
        self.post_attention_layernorm = MeanSquareNorm(hidden_size, norm_epsilon)
        self.mlp = GatedNetwork(hidden_size, inner_size)

    def forward(self, vectors: Tensor, turns: tuple[Tensor, Tensor]) -> Tensor:
        """Return new vectors, (rows, length, hidden_size)."""
        vectors = vectors + self.self_attn(self.input_layernorm(vectors), turns)
        return vectors + self.mlp(self.post_attention_layernorm(vectors))  # type: ignore[no-any-return]

    def advance(
        self, vectors: Tensor, turns: tuple[Tensor, Tensor], step: Step, pages: KeyValuePages, layer: int
    ) -> Tensor:
        """Return new vectors of new tokens, (rows, tokens, hidden_size), and note their keys and values.

        Rows beyond those of `step` are company for the products alone: they see and leave nothing.
        """
        attention, rows = self.self_attn, len(step.tokens)
        queries, keys, values = attention.parts(self.input_layernorm(vectors), turns)
        size = attention.head_size
        pages.write(layer, step.written, keys[:rows].reshape(-1, size), values[:rows].reshape(-1, size))
        seen = vectors.new_zeros(*vectors.shape[:2], attention.heads * size)
        for shelf in step.shelves:
            keys, values = pages.read(layer, shelf.shelves)
            seen[shelf.rows] = attention.look(queries[shelf.rows], keys, values, shelf.hidden)
        vectors = vectors + attention.o_proj(seen)
        return vectors + self.mlp(self.post_attention_layernorm(vectors))  # type: ignore[no-any-return]
