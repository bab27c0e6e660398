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
    """Two dense layers over spliced frames, and recurrent layers whose states are added to what comes in.

    Without these shortcuts the network says nothing at all for its first thousands of steps (experiment on the sample).
    Reading ahead only, what is said of a frame depends on the past and on `splice` pairs of frames further, so that it
    can be told while the speaker goes on.

    Sources: Graves, Mohamed, Hinton (2013), Speech recognition with deep recurrent neural networks, section 2;
    Kim, El-Khamy, Lee (2017), Residual LSTM, section 3, for the shortcuts.

    Args:
        means: Mean of each band.
        deviations: Deviation of each band.
        labels: Number of labels or symbols.
        is_sequence: Whether each frame gets logits; else the states are pooled.
        splice: Pairs of frames seen on each side of a pair by the first layer.
        cell: "rnn", "lstm" or "gru".
        hidden_size: Length of the state of each direction.
        num_layers: Number of layers.
        both_directions: Whether every layer reads backwards too.
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
        splice: int,
        cell: str,
        hidden_size: int,
        num_layers: int,
        both_directions: bool,
        dropout: float,
    ) -> None:
        super().__init__()
        self.normalise = NormaliseBands(means, deviations)
        width = hidden_size * (2 if both_directions else 1)
        self.splice = FrameConvolution(2 * len(means), width, splice, splice)
        self.dense = nn.Linear(width, width)
        self.is_both = both_directions
        self.layers = nn.ModuleList(
            BothDirections(cell, width, hidden_size)
            if both_directions
            else CELLS[cell](width, hidden_size, batch_first=True)
            for _ in range(num_layers)
        )
        self.dropout = nn.Dropout(dropout)
        self.end = SpeechEnd(width, labels, is_sequence, dropout)

    def forward(self, bands: Tensor, ends: Tensor) -> Tensor:  # type: ignore[override]
        """Return the logits; see `SpeechEnd`.

        Args:
            bands: Logarithms of power, (rows, frames, bands).
            ends: When each frame ends, in seconds, 0 in the padding, (rows, frames).
        """
        pairs = torch.cat(pairs_of(self.normalise(bands, ends)), dim=2)  # (rows, frames / 2, 2 * bands)
        vectors, ends = functional.relu(self.splice(pairs)), halved(ends)
        vectors = functional.relu(self.dense(self.dropout(vectors))) * is_heard(ends)
        for layer in self.layers:
            dropped = self.dropout(vectors)
            vectors = vectors + (layer(dropped, ends > 0) if self.is_both else layer(dropped)[0])
        return self.end(vectors * is_heard(ends), ends)  # type: ignore[no-any-return]
