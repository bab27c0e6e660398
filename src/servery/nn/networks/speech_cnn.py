"""The convolutional speech network: a spectrogram is seen as a picture of time and pitch."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.convolution import ConvolutionNorm
from servery.nn.network import Network
from servery.nn.speech import AXES, FrameConvolution, NormaliseBands, SpeechEnd, halved, is_heard, pairs_of


class SpeechCnn(Network):
    """Stages of two 3 x 3 convolutions and pooling over pitch, over pairs of frames as two channels.

    The pitches that are left stand side by side; a convolution over some frames joins them.

    Source: Abdel-Hamid et al. (2014), Convolutional neural networks for speech recognition, section III; Simonyan and
    Zisserman (2015), Very deep convolutional networks, section 2, for pairs of small filters.

    Args:
        means: Mean of each band.
        deviations: Deviation of each band.
        labels: Number of labels or symbols.
        is_sequence: Whether each frame gets logits; else the frames' last vectors are pooled.
        widths: Channels of each stage.
        hidden_size: Numbers of a frame behind the stages.
        context: Frames seen on each side by each of the two layers behind the stages.
        dropout: Share of the numbers left out in training.
    """

    name = "speech_cnn"
    axes = AXES

    def __init__(
        self,
        means: Sequence[float],
        deviations: Sequence[float],
        labels: int,
        is_sequence: bool,
        widths: Sequence[int],
        hidden_size: int,
        context: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.normalise = NormaliseBands(means, deviations)
        before = [2, *widths[:-1]]
        self.firsts = nn.ModuleList(ConvolutionNorm(a, b, 3) for a, b in zip(before, widths, strict=True))
        self.seconds = nn.ModuleList(ConvolutionNorm(width, width, 3) for width in widths)
        bands = len(means)
        for _ in widths:
            bands = -(-bands // 2)
        self.joined = FrameConvolution(bands * widths[-1], hidden_size, context, context)
        self.last = FrameConvolution(hidden_size, hidden_size, context, context)
        self.dropout = nn.Dropout(dropout)
        self.end = SpeechEnd(hidden_size, labels, is_sequence, dropout)

    def forward(self, bands: Tensor, ends: Tensor) -> Tensor:  # type: ignore[override]
        """Return the logits; see `SpeechEnd`.

        Args:
            bands: Logarithms of power, (rows, frames, bands).
            ends: When each frame ends, in seconds, 0 in the padding, (rows, frames).
        """
        seen = torch.stack(pairs_of(self.normalise(bands, ends)), dim=1)  # (rows, 2, frames / 2, bands)
        ends = halved(ends)
        for first, second in zip(self.firsts, self.seconds, strict=True):
            seen = functional.relu(first(seen)) * is_heard(ends).unsqueeze(1)
            seen = functional.relu(second(seen)) * is_heard(ends).unsqueeze(1)
            seen = functional.max_pool2d(seen, (1, 2), ceil_mode=True)
        vectors = seen.transpose(1, 2).flatten(2)  # (rows, frames, channels * bands)
        for layer in (self.joined, self.last):
            vectors = functional.relu(layer(self.dropout(vectors))) * is_heard(ends)
        return self.end(vectors, ends)  # type: ignore[no-any-return]
