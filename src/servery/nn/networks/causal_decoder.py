"""The Llama-shaped decoder: a text becomes the logits of its next token, at once or token by token.

The modules carry the names of the Hugging Face layout, so that `state_dict` is the checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.decoder import DecoderBlock, GroupedAttention, MeanSquareNorm, Shelf, Step, joined
from servery.nn.key_value_pages import PAGE_TOKENS, KeyValuePages
from servery.nn.network import Network
from servery.nn.rotary import rotation_rates, rotations

WEIGHT_DEVIATION = 0.02
"""Of the first weights; Radford et al. (2018), section 4.1."""


class _Body(nn.Module):
    """What the Hugging Face layout calls `model`."""

    def __init__(
        self, vocabulary_size: int, hidden_size: int, blocks: list[DecoderBlock], epsilon: float
    ) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(vocabulary_size, hidden_size)
        self.layers = nn.ModuleList(blocks)
        self.norm = MeanSquareNorm(hidden_size, epsilon)


class CausalDecoder(Network):
    """A stack of decoder blocks between the tokens' vectors and the logits of the next token.

    Unlike the other networks it puts out logits for every token: what follows a text cut there.

    Source: Touvron et al. (2023), LLaMA: open and efficient foundation language models, section 2.2.

    Args:
        vocabulary_size: Number of tokens.
        hidden_size: Length of the vectors.
        inner_size: Width of the network of each token.
        num_layers: Number of blocks.
        heads: Heads of each block.
        key_value_heads: Heads with keys and values of their own; divides `heads`.
        head_size: Length of a head's vectors; even.
        context_tokens: Longest text.
        norm_epsilon: Added to the mean square before its root.
        rope_theta: Base of the rates by which queries and keys are turned.
        rope_scaling: See `rotation_rates`; None for none.
        is_tied: Whether the logits use the tokens' vectors again.
        input_bias: Whether queries, keys and values have a bias.
        output_bias: Whether attention's result has one.
    """

    name = "causal_decoder"
    axes = {"tokens": ("rows", "length")}
    rates: Tensor

    def __init__(
        self,
        vocabulary_size: int,
        hidden_size: int,
        inner_size: int,
        num_layers: int,
        heads: int,
        key_value_heads: int,
        head_size: int,
        context_tokens: int,
        norm_epsilon: float,
        rope_theta: float,
        rope_scaling: Mapping[str, Any] | None,
        is_tied: bool,
        input_bias: bool,
        output_bias: bool,
    ) -> None:
        super().__init__()
        blocks = [
            DecoderBlock(
                GroupedAttention(hidden_size, heads, key_value_heads, head_size, input_bias, output_bias),
                hidden_size,
                inner_size,
                norm_epsilon,
            )
            for _ in range(num_layers)
        ]
        self.model = _Body(vocabulary_size, hidden_size, blocks, norm_epsilon)
        self.lm_head = nn.Linear(hidden_size, vocabulary_size, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=WEIGHT_DEVIATION)
        self.is_tied = is_tied
        if is_tied:
            self.lm_head.weight = self.model.embed_tokens.weight
        self.context_tokens = context_tokens
        self.heads, self.key_value_heads, self.head_size = heads, key_value_heads, head_size
        rates = rotation_rates(head_size, rope_theta, rope_scaling)
        self.register_buffer("rates", rates, persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        """Return the logits of what follows each token, (rows, length, vocabulary_size).

        Args:
            tokens: int64, (rows, length); what stands behind a row's end changes nothing before it.
        """
        places = torch.arange(tokens.shape[1], device=tokens.device)
        turns = self._turns(places)
        vectors = self.model.embed_tokens(tokens)
        for block in self.blocks:
            vectors = block(vectors, turns)
        return self.lm_head(self.model.norm(vectors))  # type: ignore[no-any-return]

    @property
    def blocks(self) -> list[DecoderBlock]:
        """The blocks, from the tokens' vectors on."""
        return [block for block in self.model.layers if isinstance(block, DecoderBlock)]

    def join(self) -> None:
        """Make fewer and larger products of the same numbers; the network must not be trained any more."""
        for block in self.blocks:
            block.self_attn.join()
            block.mlp.join()
        if not self.is_tied:  # else a token's vector would lie scattered
            joined([self.lm_head])

    def products(self) -> list[Tensor]:
        """Return the weights as they are multiplied with, each (out, in)."""
        weights = [self.lm_head.weight.data]
        for block in self.blocks:
            attention, mlp = block.self_attn, block.mlp
            weights += [attention.o_proj.weight.data, mlp.down_proj.weight.data]
            for together in (attention.joined, mlp.joined):
                weights += [] if together is None else [together[0]]
        return weights

    def pages(self) -> KeyValuePages:
        """Return empty pages for the keys and values of this network."""
        return KeyValuePages(len(self.blocks), self.key_value_heads, self.head_size)

    def step(
        self,
        tokens: Sequence[Sequence[int]],
        starts: Sequence[int],
        owned: Sequence[Sequence[int]],
        pages: KeyValuePages,
    ) -> Step:
        """Return new tokens of several texts as a step.

        Args:
            tokens: The new tokens of each text; equally many of each.
            starts: Number of tokens of each text before them.
            owned: The pages of each text, enough for the new tokens; texts with equally many lie side by side.
            pages: Where the pages are.
        """
        new = torch.tensor(tokens)
        places = torch.tensor(starts)[:, None] + torch.arange(new.shape[1])  # (rows, tokens)
        shelves, start = [], 0
        for count, group in groupby(owned, key=len):
            own = torch.tensor(list(group))  # (rows of the group, pages)
            rows = slice(start, start + len(own))
            shelves.append(
                Shelf(rows, pages.shelves_of(own), self._hidden(places[rows], count * PAGE_TOKENS))
            )
            start = rows.stop
        leaves = [
            own[place // PAGE_TOKENS]
            for own, row in zip(owned, places.tolist(), strict=True)
            for place in row
        ]
        written = pages.places_of(torch.tensor(leaves), places.flatten() % PAGE_TOKENS)
        return Step(new, places, written.flatten(), shelves)

    def advance(self, step: Step, pages: KeyValuePages, least_rows: int = 1) -> Tensor:
        """Return the logits of what follows the last new token of each row, (rows, vocabulary_size).

        Args:
            step: The new tokens.
            pages: Keys and values of all tokens before; those of the new ones are added.
            least_rows: Rows that a product must have; see `servery.nn.steadiness`.
        """
        missing = max(0, -(-least_rows // step.tokens.shape[1]) - len(step.tokens))
        turns = self._turns(functional.pad(step.places, (0, 0, 0, missing)))
        vectors = self.model.embed_tokens(functional.pad(step.tokens, (0, 0, 0, missing)))
        for layer, block in enumerate(self.blocks):
            vectors = block.advance(vectors, turns, step, pages, layer)
        last = self.model.norm(vectors)[:, -1]
        company = max(0, least_rows - len(last))
        return self.lm_head(functional.pad(last, (0, 0, 0, company)))[: len(step.tokens)]  # type: ignore[no-any-return]

    def _hidden(self, places: Tensor, keys: int) -> Tensor:
        shared = self.heads // self.key_value_heads
        is_later = torch.arange(keys) > places[:, None, :, None]  # (rows, 1, tokens, keys)
        return torch.zeros(is_later.shape).masked_fill_(is_later, -torch.inf).repeat(1, 1, shared, 1)

    def _turns(self, places: Tensor) -> tuple[Tensor, Tensor]:
        cosines, sines = rotations(places, self.rates)
        return cosines.unsqueeze(-2), sines.unsqueeze(-2)
