"""A network that reads a text and writes its summary, word by word from its vocabulary or copied from what it read."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.embedding import TokenEmbedding
from servery.nn.pooling import FAR_BELOW
from servery.nn.recurrence import BothDirections, lstm_step, remember_at_first
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
        self.writer = nn.LSTM(embedding_size, hidden_size, batch_first=True)
        self.keys = nn.Linear(hidden_size, hidden_size, bias=False)
        self.asks = nn.Linear(hidden_size, hidden_size)
        self.covered = nn.Linear(1, hidden_size, bias=False)
        self.energy = nn.Linear(hidden_size, 1, bias=False)
        self.mix = nn.Linear(2 * hidden_size, embedding_size)
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))
        self.writes = nn.Linear(2 * hidden_size + embedding_size, 1)
        self.dropout = nn.Dropout(dropout)
        for layer in self.modules():
            if isinstance(layer, nn.LSTM):
                remember_at_first(layer)

    def forward(self, tokens: Tensor, said: Tensor) -> Tensor:  # type: ignore[override]
        """Return the logarithms of the chances of what follows each token, (rows, said length, vocabulary_size)."""
        return self.with_repetition(tokens, said)[0]

    def with_repetition(self, tokens: Tensor, said: Tensor) -> tuple[Tensor, Tensor]:
        """Return besides how much each step looked where earlier ones had looked, from 0 to 1, (rows, said length)."""
        read, state = self.begin(tokens)
        vectors = scaled(self.embedding(said)[0])
        first = state["hidden"].unsqueeze(0), state["cell"].unsqueeze(0)
        hidden, _ = self.writer(vectors, first)  # (rows, said length, hidden)
        asked, covered = self.asks(hidden), state["covered"]
        every_look, repeated = [], []
        for place in range(said.shape[1]):
            looks = self._looks(asked[:, place], read, covered)
            every_look.append(looks)
            repeated.append(torch.minimum(looks, covered).sum(dim=1))
            covered = covered + looks
        looks = torch.stack(every_look, dim=1)  # (rows, said length, length)
        return self._chances(hidden, vectors, looks, read), torch.stack(repeated, dim=1)

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
        vectors = scaled(self.embedding.table(said))
        hidden, cell = lstm_step(self.writer, vectors, state["hidden"], state["cell"])
        looks = self._looks(self.asks(hidden), read, state["covered"])
        hidden_step, vector_step, look_step = (part.unsqueeze(1) for part in (hidden, vectors, looks))
        chances = self._chances(hidden_step, vector_step, look_step, read)[:, 0]
        return chances, looks, {"hidden": hidden, "cell": cell, "covered": state["covered"] + looks}

    def _looks(self, asked: Tensor, read: State, covered: Tensor) -> Tensor:
        """Return how much is looked at each token read, (rows, length), in sum 1."""
        heard = read["keys"] + asked.unsqueeze(1) + self.covered(covered.unsqueeze(2))
        energy: Tensor = self.energy(torch.tanh(heard)).squeeze(2).float()
        return energy.masked_fill(read["tokens"] == 0, FAR_BELOW).softmax(dim=1)

    def _chances(self, hidden: Tensor, vectors: Tensor, looks: Tensor, read: State) -> Tensor:
        """Return the logarithms of the chances of each step's token, (rows, steps, vocabulary_size)."""
        values = read["values"]
        context = looks.to(values.dtype) @ values  # (rows, steps, hidden)
        seen = self.dropout(torch.cat([hidden, context], dim=2))
        mixed = self.dropout(torch.tanh(self.mix(seen)))
        own = functional.linear(mixed, self.embedding.table.weight, self.bias).float().softmax(dim=2)
        writes = self.writes(torch.cat([seen, vectors], dim=2)).float().sigmoid()  # (rows, steps, 1)
        places = read["tokens"].unsqueeze(1).expand(-1, looks.shape[1], -1)
        chances: Tensor = (writes * own).scatter_add(2, places, (1 - writes) * looks)
        return chances.clamp(min=LEAST_CHANCE).log()
