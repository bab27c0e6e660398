"""What looks at a word's neighbours before it is tagged: a window, recurrent layers, filters or attention."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.attention import TransformerBlock, sine_positions
from servery.nn.embedding import EMBEDDING_DEVIATION
from servery.nn.recurrence import BothDirections

WINDOW = 3


class _Window(nn.Module):
    """The vectors of a word and its neighbours side by side."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = WINDOW * size

    def forward(self, vectors: Tensor, is_word: Tensor) -> Tensor:
        vectors = vectors * is_word.unsqueeze(2)
        side = functional.pad(vectors, (0, 0, 1, 1))
        return torch.cat([side[:, :-2], vectors, side[:, 2:]], dim=2)


class _Lstm(nn.Module):
    """Recurrent layers in both directions, the features beside their states."""

    def __init__(self, size: int, hidden_size: int, num_layers: int, dropout: float) -> None:
        super().__init__()
        sizes = [size] + [2 * hidden_size] * (num_layers - 1)
        self.layers = nn.ModuleList(BothDirections("lstm", width, hidden_size) for width in sizes)
        self.dropout = nn.Dropout(dropout)
        self.size = 2 * hidden_size + size

    def forward(self, vectors: Tensor, is_word: Tensor) -> Tensor:
        states = vectors
        for number, layer in enumerate(self.layers):
            states = layer(self.dropout(states) if number else states, is_word)
        return torch.cat([states, vectors], dim=2)


class _Cnn(nn.Module):
    """Filters over three words, each layer twice as far apart as the one before."""

    def __init__(self, size: int, hidden_size: int, num_layers: int, dropout: float) -> None:
        super().__init__()
        width = 2 * hidden_size
        self.first = nn.Linear(size, width)
        self.layers = nn.ModuleList(
            nn.Conv1d(width, width, 3, padding=2**number, dilation=2**number) for number in range(num_layers)
        )
        self.dropout = nn.Dropout(dropout)
        self.size = width + size

    def forward(self, vectors: Tensor, is_word: Tensor) -> Tensor:
        seen = self.first(vectors)
        for layer in self.layers:
            words = (seen * is_word.unsqueeze(2)).transpose(1, 2)
            seen = seen + self.dropout(functional.relu(layer(words).transpose(1, 2)))
        return torch.cat([seen, vectors], dim=2)


class _Transformer(nn.Module):
    """Self-attention between the words."""

    positions: Tensor

    def __init__(self, size: int, hidden_size: int, num_layers: int, dropout: float, max_words: int) -> None:
        super().__init__()
        width = 2 * hidden_size
        # As small as the first vectors: the place must not drown the word.
        self.register_buffer(
            "positions", EMBEDDING_DEVIATION * sine_positions(max_words, width), persistent=False
        )
        self.first = nn.Linear(size, width)
        self.blocks = nn.ModuleList(TransformerBlock(width, 4, 2 * width, dropout) for _ in range(num_layers))
        self.norm = nn.LayerNorm(width)
        self.size = width + size

    def forward(self, vectors: Tensor, is_word: Tensor) -> Tensor:
        length = vectors.shape[1]
        seen = self.first(vectors) + self.positions[:length]
        # A row without words looks at itself: attention to nothing would be no number.
        is_seen = is_word | (torch.arange(length, device=is_word.device) == 0)
        for block in self.blocks:
            seen = block(seen, is_seen)
        return torch.cat([self.norm(seen), vectors], dim=2)


TaggerBody = _Window | _Lstm | _Cnn | _Transformer


def tagger_body(
    name: str, size: int, hidden_size: int, num_layers: int, dropout: float, max_words: int
) -> TaggerBody:
    """Return a body: from (rows, length, size) and bool (rows, length) to (rows, length, its own `size`).

    Args:
        name: "window" (three words side by side), "lstm", "cnn" or "transformer".
        size: Length of the vectors that come in.
        hidden_size: Of each direction of the lstm; half the width of other bodies.
        num_layers: Number of layers.
        dropout: Share of the numbers left out in training.
        max_words: Longest row of a transformer.
    """
    match name:
        case "window":
            return _Window(size)
        case "lstm":
            return _Lstm(size, hidden_size, num_layers, dropout)
        case "cnn":
            return _Cnn(size, hidden_size, num_layers, dropout)
        case "transformer":
            return _Transformer(size, hidden_size, num_layers, dropout, max_words)
        case _:
            raise ValueError(f"body {name!r}; known: window, lstm, cnn, transformer")
