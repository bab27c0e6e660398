"""A network that reads a text and writes its summary, word by word from its vocabulary or copied from what it read."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.embedding import TokenEmbedding
from servery.nn.pooling import FAR_BELOW
from servery.nn.recurrence import BothDirections
from servery.nn.sequence_to_sequence import SequenceToSequence, State, scaled

LEAST_CHANCE = 1e-9
"""Keeps the logarithm of a chance finite."""


class PointerGenerator(SequenceToSequence):
    """An LSTM reads in both directions, another one writes; at each step it writes a token of its own or copies one.

    What was looked at before is remembered (coverage), so that looking there again can be made costly. What a step
    gives as logits are logarithms of chances that sum to 1.

    Source: See, Liu, Manning (2017), Get to the point: summarization with pointer-generator networks, section 2. The
    look is theirs (Bahdanau, Cho, Bengio 2015); tokens are subwords, so that none is out of the vocabulary, and their
    vectors are used again to score what is written.

    Args:
        vocabulary_size: Number of tokens; all of them can be written.
        embedding_size: Length of a token's vector.
        hidden_size: Length of the writer's state; the reader has half of it in each direction.
        token_dropout: Share of tokens left out in training.
        embedding_dropout: Share of the vectors' numbers left out in training.
        dropout: Share of the states' numbers left out in training.
    """

    name = "pointer_generator"
    has_attention = True

    def __init__(
        self,
        vocabulary_size: int,
        embedding_size: int,
        hidden_size: int,
        token_dropout: float,
        embedding_dropout: float,
        dropout: float,
    ) -> None:
        super().__init__()
        self.written_size = vocabulary_size
        self.embedding = TokenEmbedding(vocabulary_size, embedding_size, token_dropout, embedding_dropout)
        self.reader = BothDirections("lstm", embedding_size, hidden_size // 2)
        self.first_state = nn.Linear(hidden_size, 2 * hidden_size)
        self.writer = nn.LSTMCell(embedding_size, hidden_size)
        self.keys = nn.Linear(hidden_size, hidden_size, bias=False)
        self.asks = nn.Linear(hidden_size, hidden_size)
        self.covered = nn.Linear(1, hidden_size, bias=False)
        self.energy = nn.Linear(hidden_size, 1, bias=False)
        self.mix = nn.Linear(2 * hidden_size, embedding_size)
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))
        self.writes = nn.Linear(2 * hidden_size + embedding_size, 1)
        self.dropout = nn.Dropout(dropout)
        with torch.no_grad():
            self.writer.bias_hh[hidden_size : 2 * hidden_size] = 1.0  # forget gates begin open

    def forward(self, tokens: Tensor, said: Tensor) -> Tensor:  # type: ignore[override]
        """Return the logarithms of the chances of what follows each token, (rows, said length, vocabulary_size)."""
        return self.with_repetition(tokens, said)[0]

    def with_repetition(self, tokens: Tensor, said: Tensor) -> tuple[Tensor, Tensor]:
        """Return besides how much each step looked where earlier ones had looked, from 0 to 1, (rows, said length)."""
        read, state = self.begin(tokens)
        vectors = scaled(self.embedding(said)[0])
        chances, repeated = [], []
        for place in range(said.shape[1]):
            covered = state["covered"]
            found, looks, state = self._advance(vectors[:, place], read, state)
            chances.append(found)
            repeated.append(torch.minimum(looks, covered).sum(dim=1))
        return torch.stack(chances, dim=1), torch.stack(repeated, dim=1)

    def begin(self, tokens: Tensor) -> tuple[State, State]:
        """Return the reader's states, which tokens there are, and the writer's first state."""
        vectors, is_token = self.embedding(tokens)
        values = self.reader(scaled(vectors), is_token)  # (rows, length, hidden)
        half = values.shape[2] // 2
        last = is_token.sum(dim=1, keepdim=True).clamp(min=1) - 1
        ahead = values[:, :, :half].gather(1, last.unsqueeze(2).expand(-1, -1, half)).squeeze(1)
        ends = torch.cat([ahead, values[:, 0, half:]], dim=1)  # (rows, hidden)
        hidden, cell = torch.tanh(self.first_state(self.dropout(ends))).chunk(2, dim=1)
        read = {"tokens": tokens, "values": values, "keys": self.keys(values)}
        return read, {"hidden": hidden, "cell": cell, "covered": torch.zeros_like(values[:, :, 0])}

    def step(self, said: Tensor, read: State, state: State) -> tuple[Tensor, Tensor, State]:
        """Return logarithms of chances, looks and the next state."""
        return self._advance(scaled(self.embedding.table(said)), read, state)

    def _advance(self, vectors: Tensor, read: State, state: State) -> tuple[Tensor, Tensor, State]:
        hidden, cell = self._remember(vectors, state["hidden"], state["cell"])
        tokens, covered = read["tokens"], state["covered"]
        heard = read["keys"] + self.asks(hidden).unsqueeze(1) + self.covered(covered.unsqueeze(2))
        energy = self.energy(torch.tanh(heard)).squeeze(2)  # (rows, length)
        looks = energy.masked_fill(tokens == 0, FAR_BELOW).softmax(dim=1)
        context = (looks.unsqueeze(1) @ read["values"]).squeeze(1)  # (rows, hidden)
        seen = self.dropout(torch.cat([hidden, context], dim=1))
        mixed = self.dropout(torch.tanh(self.mix(seen)))
        own = functional.linear(mixed, self.embedding.table.weight, self.bias).float().softmax(dim=1)
        writes = self.writes(torch.cat([seen, vectors], dim=1)).float().sigmoid()  # (rows, 1)
        chances = (writes * own).scatter_add(1, tokens, (1 - writes) * looks.float())
        following = {"hidden": hidden, "cell": cell, "covered": covered + looks}
        return chances.clamp(min=LEAST_CHANCE).log(), looks, following

    def _remember(self, vectors: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """Return hidden state and cell after one token; written out, so that it can be exported."""
        layer = self.writer
        gates = functional.linear(vectors, layer.weight_ih, layer.bias_ih)
        gates = gates + functional.linear(hidden, layer.weight_hh, layer.bias_hh)
        enter, forget, new, leave = gates.chunk(4, dim=1)
        cell = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
        return leave.sigmoid() * cell.tanh(), cell
