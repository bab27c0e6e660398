"""The transformer that reads one text and writes another."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.attention import TransformerBlock, sine_positions
from servery.nn.embedding import TokenEmbedding
from servery.nn.pooling import FAR_BELOW
from servery.nn.sequence_to_sequence import SequenceToSequence, State, scaled


class TransformerTranslator(SequenceToSequence):
    """Blocks of self-attention read; blocks that look back at what they wrote, and over at what was read, write.

    Source: Vaswani et al. (2017), Attention is all you need, section 3, with the norms before (Xiong et al. 2020).

    Args:
        vocabulary_size: Number of tokens.
        written_size: Number of tokens that can be written, the first ones.
        embedding_size: Length of all vectors; even.
        inner_size: Width of the network of each token.
        heads: Heads of each block; divides `embedding_size`.
        num_layers: Blocks of the reader and of the writer.
        max_tokens: Longest row read or written.
        token_dropout: Share of tokens left out in training.
        embedding_dropout: Share of the vectors' numbers left out in training.
        dropout: Share of numbers within blocks left out in training.
    """

    name = "transformer_translator"
    has_attention = True
    positions: Tensor

    def __init__(
        self,
        vocabulary_size: int,
        written_size: int,
        embedding_size: int,
        inner_size: int,
        heads: int,
        num_layers: int,
        max_tokens: int,
        token_dropout: float,
        embedding_dropout: float,
        dropout: float,
    ) -> None:
        super().__init__()
        size = embedding_size
        self.written_size, self.max_tokens = written_size, max_tokens
        self.embedding = TokenEmbedding(vocabulary_size, size, token_dropout, embedding_dropout)
        self.register_buffer("positions", sine_positions(max_tokens + 1, size), persistent=False)
        self.readers = nn.ModuleList(
            TransformerBlock(size, heads, inner_size, dropout) for _ in range(num_layers)
        )
        self.reader_norm = nn.LayerNorm(size)
        self.writers = nn.ModuleList(WriterBlock(size, heads, inner_size, dropout) for _ in range(num_layers))
        self.writer_norm = nn.LayerNorm(size)
        self.bias = nn.Parameter(torch.zeros(written_size))

    def forward(self, tokens: Tensor, said: Tensor) -> Tensor:  # type: ignore[override]
        """Return the logits of what follows each token, (rows, said length, written_size)."""
        read, _ = self.begin(tokens)
        hidden = hidden_places(read["is_token"])
        length = said.shape[1]
        vectors = scaled(self.embedding(said)[0]) + self.positions[:length]
        later = torch.ones(length, length, dtype=torch.bool, device=said.device).triu(1)
        later = torch.zeros(length, length, device=said.device).masked_fill(later, FAR_BELOW)
        for layer, block in enumerate(self.blocks):
            own = block.own_keys_values(vectors)
            vectors, _ = block(vectors, own, later, read["keys_values"][:, layer], hidden)
        return self._logits(vectors)

    def begin(self, tokens: Tensor) -> tuple[State, State]:
        """Return keys and values of what was read, for each block; those of what was written, none so far."""
        vectors, is_token = self.embedding(tokens)
        vectors = scaled(vectors) + self.positions[: tokens.shape[1]]
        for block in self.readers:
            vectors = block(vectors, is_token)
        vectors = self.reader_norm(vectors)
        read = torch.stack([block.other_keys_values(vectors) for block in self.blocks], dim=1)
        # (rows, layers, 2, heads, length, head size)
        place = torch.zeros_like(tokens[:, 0])
        return {"is_token": is_token, "keys_values": read}, {"said": read[:, :, :, :, :0], "place": place}

    def step(self, said: Tensor, read: State, state: State) -> tuple[Tensor, Tensor, State]:
        """Return logits, looks (the mean over the heads of the last block) and the next state."""
        vectors = (scaled(self.embedding.table(said)) + self.positions[state["place"]]).unsqueeze(1)
        hidden = hidden_places(read["is_token"])
        nothing = torch.zeros(1, 1, device=said.device)
        kept = []
        for layer, block in enumerate(self.blocks):
            own = torch.cat([state["said"][:, layer], block.own_keys_values(vectors)], dim=3)
            vectors, looks = block(vectors, own, nothing, read["keys_values"][:, layer], hidden)
            kept.append(own)
        state = {"said": torch.stack(kept, dim=1), "place": state["place"] + 1}
        return self._logits(vectors)[:, 0], looks[:, :, 0].mean(dim=1), state

    @property
    def blocks(self) -> list[WriterBlock]:
        """The blocks that write, from the tokens' vectors on."""
        return [block for block in self.writers if isinstance(block, WriterBlock)]

    def _logits(self, vectors: Tensor) -> Tensor:
        table = self.embedding.table.weight[: self.written_size]
        return functional.linear(self.writer_norm(vectors), table, self.bias)


class WriterBlock(nn.Module):
    """Attention to what was written, attention to what was read, then a small network for each token.

    Args:
        size: Length of the vectors.
        heads: Number of heads.
        inner_size: Width of the network of each token.
        dropout: Share of numbers left out in training.
    """

    def __init__(self, size: int, heads: int, inner_size: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm_own, self.norm_other = nn.LayerNorm(size), nn.LayerNorm(size)
        self.own_query, self.own_pair = nn.Linear(size, size), nn.Linear(size, 2 * size)
        self.other_query, self.other_pair = nn.Linear(size, size), nn.Linear(size, 2 * size)
        self.own_out, self.other_out = nn.Linear(size, size), nn.Linear(size, size)
        self.each_token = nn.Sequential(
            nn.LayerNorm(size),
            nn.Linear(size, inner_size),
            nn.GELU(),
            nn.Dropout(dropout),
            nn.Linear(inner_size, size),
        )
        self.dropout = nn.Dropout(dropout)

    def own_keys_values(self, vectors: Tensor) -> Tensor:
        """Return keys and values of what is written, (rows, 2, heads, length, head size)."""
        return self._split(self.own_pair(self.norm_own(vectors)), 2)

    def other_keys_values(self, vectors: Tensor) -> Tensor:
        """Return keys and values of what was read, (rows, 2, heads, length, head size)."""
        return self._split(self.other_pair(vectors), 2)

    def forward(
        self, vectors: Tensor, own: Tensor, own_hidden: Tensor, other: Tensor, other_hidden: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Return new vectors, and looks at what was read, (rows, heads, said length, length).

        Args:
            vectors: (rows, said length, size).
            own: From `own_keys_values`, of these and earlier tokens.
            own_hidden: Added to the scores, (said length, own length).
            other: From `other_keys_values`.
            other_hidden: Added to the scores, (rows, 1, 1, length).
        """
        query = self._split(self.own_query(self.norm_own(vectors)), 1)[:, 0]
        mixed, _ = self._look(query, own, own_hidden)
        vectors = vectors + self.dropout(self.own_out(mixed))
        query = self._split(self.other_query(self.norm_other(vectors)), 1)[:, 0]
        mixed, looks = self._look(query, other, other_hidden)
        vectors = vectors + self.dropout(self.other_out(mixed))
        return vectors + self.dropout(self.each_token(vectors)), looks

    def _split(self, vectors: Tensor, parts: int) -> Tensor:
        rows, length = vectors.shape[:2]
        return vectors.view(rows, length, parts, self.heads, -1).permute(0, 2, 3, 1, 4)

    def _look(self, query: Tensor, pair: Tensor, hidden: Tensor) -> tuple[Tensor, Tensor]:
        keys, values = pair[:, 0], pair[:, 1]  # (rows, heads, length, head size)
        scores = query @ keys.transpose(2, 3) * keys.shape[-1] ** -0.5 + hidden
        looks = scores.softmax(dim=3)
        mixed = (self.dropout(looks) if self.training else looks) @ values
        return mixed.transpose(1, 2).flatten(2), looks


def hidden_places(is_token: Tensor) -> Tensor:
    """Return what is added to scores so that padding is not looked at, (rows, 1, 1, length)."""
    return torch.zeros(is_token.shape, device=is_token.device).masked_fill(~is_token, FAR_BELOW)[
        :, None, None
    ]
