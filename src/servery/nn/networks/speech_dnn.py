"""The fully connected speech network: each pair of frames with its neighbours alone, through dense layers."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.network import Network
from servery.nn.speech import AXES, FrameConvolution, NormaliseBands, SpeechEnd, halved, is_heard, pairs_of


class SpeechDnn(Network):
    """Spliced frames, dense layers with rectifiers.

    Source: Hinton et al. (2012), Deep neural networks for acoustic modeling in speech recognition, section "Interfacing
    a DNN with an HMM"; Glorot, Bordes, Bengio (2011) for the rectifiers.

    Args:
        means: Mean of each band.
        deviations: Deviation of each band.
        labels: Number of labels or symbols.
        is_sequence: Whether each frame gets logits; else the frames' last vectors are pooled.
        splice: Pairs of frames seen on each side of a pair.
        hidden_sizes: Units of each layer.
        dropout: Share of units left out in training.
    """

    name = "speech_dnn"
    axes = AXES

    def __init__(
        self,
        means: Sequence[float],
        deviations: Sequence[float],
        labels: int,
        is_sequence: bool,
        splice: int,
        hidden_sizes: Sequence[int],
        dropout: float,
    ) -> None:
        super().__init__()
        self.normalise = NormaliseBands(means, deviations)
        self.splice = FrameConvolution(2 * len(means), hidden_sizes[0], splice, splice)
        pairs = itertools.pairwise(hidden_sizes)
        self.layers = nn.ModuleList(nn.Linear(before, after) for before, after in pairs)
        self.dropout = nn.Dropout(dropout)
        self.end = SpeechEnd(hidden_sizes[-1], labels, is_sequence, dropout)

    def forward(self, bands: Tensor, ends: Tensor) -> Tensor:  # type: ignore[override]
        """Return the logits; see `SpeechEnd`.

        Args:
            bands: Logarithms of power, (rows, frames, bands).
            ends: When each frame ends, in seconds, 0 in the padding, (rows, frames).
        """
        pairs = torch.cat(pairs_of(self.normalise(bands, ends)), dim=2)  # (rows, frames / 2, 2 * bands)
        vectors, ends = functional.relu(self.splice(pairs)), halved(ends)
        for layer in self.layers:
            vectors = functional.relu(layer(self.dropout(vectors)))
        return self.end(vectors * is_heard(ends), ends)  # type: ignore[no-any-return]
