"""The recurrent speech network: GRU, LSTM or Elman layers over the frames."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.network import Network
from servery.nn.recurrence import CELLS, BothDirections
from servery.nn.speech import AXES, FrameConvolution, NormaliseBands, SpeechEnd, halved, is_heard, pairs_of


class SpeechRnn(Network):
    """A convolution over pairs of frames, recurrent layers, and for those that only read ahead a short look further.

    Reading ahead only, what is said of a frame depends on the past and on `look_ahead` frames, so that it can be told
    while the speaker goes on.

    Sources: Graves, Mohamed, Hinton (2013), Speech recognition with deep recurrent neural networks, section 2;
    Amodei et al. (2016), Deep Speech 2, section 3.6, for the look ahead.

    Args:
        means: Mean of each band.
        deviations: Deviation of each band.
        labels: Number of labels or symbols.
        is_sequence: Whether each frame gets logits; else the states are pooled.
        cell: "rnn", "lstm" or "gru".
        hidden_size: Length of the state of each direction.
        num_layers: Number of layers.
        both_directions: Whether every layer reads backwards too.
        look_ahead: Later frames, of half the rate, that the last layer sees; only where layers do not read backwards.
        dropout: Share of the states' numbers left out in training.
    """

    name = "speech_rnn"
    axes = AXES

    def __init__(
        self,
        means: Sequence[float],
        deviations: Sequence[float],
        labels: int,
        is_sequence: bool,
        cell: str,
        hidden_size: int,
        num_layers: int,
        both_directions: bool,
        look_ahead: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.normalise = NormaliseBands(means, deviations)
        self.front = FrameConvolution(2 * len(means), hidden_size, 1, 1)
        width = hidden_size * (2 if both_directions else 1)
        sizes = [hidden_size] + [width] * (num_layers - 1)
        self.is_both = both_directions
        self.layers = nn.ModuleList(
            BothDirections(cell, size, hidden_size)
            if both_directions
            else CELLS[cell](size, hidden_size, batch_first=True)
            for size in sizes
        )
        self.further = None if both_directions else FrameConvolution(width, width, 0, look_ahead)
        self.dropout = nn.Dropout(dropout)
        self.end = SpeechEnd(width, labels, is_sequence, dropout)

    def forward(self, bands: Tensor, ends: Tensor) -> Tensor:  # type: ignore[override]
        """Return the logits; see `SpeechEnd`.

        Args:
            bands: Logarithms of power, (rows, frames, bands).
            ends: When each frame ends, in seconds, 0 in the padding, (rows, frames).
        """
        pairs = torch.cat(pairs_of(self.normalise(bands, ends)), dim=2)  # (rows, frames / 2, 2 * bands)
        vectors, ends = functional.relu(self.front(pairs)), halved(ends)
        vectors = vectors * is_heard(ends)
        for layer in self.layers:
            dropped = self.dropout(vectors)
            vectors = layer(dropped, ends > 0) if self.is_both else layer(dropped)[0]
        vectors = vectors * is_heard(ends)
        if self.further is not None:
            vectors = functional.relu(self.further(vectors))
        return self.end(vectors, ends)  # type: ignore[no-any-return]
