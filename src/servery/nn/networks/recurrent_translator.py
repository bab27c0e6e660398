"""Two recurrent networks that read and write: with attention, or through one vector alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.embedding import TokenEmbedding
from servery.nn.pooling import FAR_BELOW
from servery.nn.recurrence import BothDirections, lstm_step, remember_at_first
from servery.nn.sequence_to_sequence import SequenceToSequence, State, scaled


class RecurrentTranslator(SequenceToSequence):
    """An LSTM reads in both directions, another one writes; in between one vector, or a look at every token read.

    Source: Sutskever, Vinyals, Le (2014), Sequence to sequence learning with neural networks, section 2; the look:
    Luong, Pham, Manning (2015), Effective approaches to attention-based neural machine translation, section 3.1
    (global attention, "general"). The vectors of tokens are used again to score what is written: Press and Wolf (2017),
    Using the output embedding to improve language models, section 2.

    Args:
        vocabulary_size: Number of tokens.
        written_size: Number of tokens that can be written, the first ones.
        embedding_size: Length of a token's vector.
        hidden_size: Length of the writer's state; the reader has half of it in each direction.
        num_layers: Layers of the reader and of the writer.
        has_attention: Whether the writer looks at what was read.
        token_dropout: Share of tokens left out in training.
        embedding_dropout: Share of the vectors' numbers left out in training.
        dropout: Share of the states' numbers left out in training.
    """

    name = "recurrent_translator"

    def __init__(
        self,
        vocabulary_size: int,
        written_size: int,
        embedding_size: int,
        hidden_size: int,
        num_layers: int,
        has_attention: bool,
        token_dropout: float,
        embedding_dropout: float,
        dropout: float,
    ) -> None:
        super().__init__()
        self.written_size, self.has_attention, self.hidden_size = written_size, has_attention, hidden_size
        self.embedding = TokenEmbedding(vocabulary_size, embedding_size, token_dropout, embedding_dropout)
        sizes = [embedding_size] + [hidden_size] * (num_layers - 1)
        self.readers = nn.ModuleList(BothDirections("lstm", size, hidden_size // 2) for size in sizes)
        self.first_states = nn.Linear(hidden_size, 2 * num_layers * hidden_size)
        self.writers = nn.ModuleList(nn.LSTM(size, hidden_size, batch_first=True) for size in sizes)
        self.dropout = nn.Dropout(dropout)
        if has_attention:
            self.keys = nn.Linear(hidden_size, hidden_size, bias=False)
        self.mix = nn.Linear(hidden_size * (2 if has_attention else 1), embedding_size)
        self.bias = nn.Parameter(torch.zeros(written_size))
        for layer in self.modules():
            if isinstance(layer, nn.LSTM):
                remember_at_first(layer)

    def forward(self, tokens: Tensor, said: Tensor) -> Tensor:  # type: ignore[override]
        """Return the logits of what follows each token, (rows, said length, written_size)."""
        read, state = self.begin(tokens)
        vectors = scaled(self.embedding(said)[0])
        for layer, writer in enumerate(self.writers):
            first = tuple(part[None, :, layer].contiguous() for part in (state["hidden"], state["cell"]))
            vectors, _ = writer(self.dropout(vectors) if layer else vectors, first)
        return self._logits(vectors, read)[0]

    def begin(self, tokens: Tensor) -> tuple[State, State]:
        """Return the reader's states and where tokens are; the writer's first hidden states and cells."""
        vectors, is_token = self.embedding(tokens)
        vectors = scaled(vectors)
        for layer, reader in enumerate(self.readers):
            vectors = reader(self.dropout(vectors) if layer else vectors, is_token)  # (rows, length, hidden)
        half = self.hidden_size // 2
        last = is_token.sum(dim=1, keepdim=True).clamp(min=1) - 1  # (rows, 1)
        ahead = vectors[:, :, :half].gather(1, last.unsqueeze(2).expand(-1, -1, half)).squeeze(1)
        ends = torch.cat([ahead, vectors[:, 0, half:]], dim=1)  # (rows, hidden)
        first = torch.tanh(self.first_states(self.dropout(ends)))
        hidden, cell = first.view(-1, 2, len(self.writers), self.hidden_size).unbind(1)
        read = {"is_token": is_token}
        if self.has_attention:
            read |= {"values": vectors, "keys": self.keys(vectors)}
        return read, {"hidden": hidden, "cell": cell}

    def step(self, said: Tensor, read: State, state: State) -> tuple[Tensor, Tensor, State]:
        """Return logits, looks and the next state."""
        vectors = scaled(self.embedding.table(said))
        hidden, cell = [], []
        for layer, writer in enumerate(self.writers):
            parts = state["hidden"][:, layer], state["cell"][:, layer]
            vectors, memory = lstm_step(writer, vectors, *parts)  # type: ignore[arg-type]
            hidden.append(vectors)
            cell.append(memory)
        logits, looks = self._logits(vectors.unsqueeze(1), read)
        return logits[:, 0], looks[:, 0], {"hidden": torch.stack(hidden, 1), "cell": torch.stack(cell, 1)}

    def _logits(self, states: Tensor, read: State) -> tuple[Tensor, Tensor]:
        """Return logits, (rows, said length, written_size), and looks, (rows, said length, length)."""
        is_token = read["is_token"]
        if self.has_attention:
            scores = states @ read["keys"].transpose(1, 2)  # (rows, said length, length)
            looks = scores.masked_fill(~is_token[:, None, :], FAR_BELOW).softmax(dim=2)
            states = torch.cat([looks @ read["values"], states], dim=2)
        else:
            looks = torch.zeros_like(is_token, dtype=states.dtype)[:, None, :].expand(-1, states.shape[1], -1)
        mixed = self.dropout(torch.tanh(self.mix(self.dropout(states))))
        return functional.linear(mixed, self.embedding.table.weight[: self.written_size], self.bias), looks
