"""What the speech networks share: spectrograms made even, frames halved, and the two ends, a label or symbols."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.pooling import mean_and_max

AXES: dict[str, tuple[str, ...]] = {"bands": ("rows", "frames"), "ends": ("rows", "frames")}
"""What varies in the arrays that `models.encoders.log_mel` gives."""


class NormaliseBands(nn.Module):
    """Subtract the bands' means and divide by their deviations; padding becomes 0, as a convolution pads.

    Args:
        means: Mean of each band over the training frames.
        deviations: Deviation of each band.
    """

    means: Tensor
    deviations: Tensor

    def __init__(self, means: Sequence[float], deviations: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("means", torch.tensor(means), persistent=False)
        self.register_buffer("deviations", torch.tensor(deviations), persistent=False)

    def forward(self, bands: Tensor, ends: Tensor) -> Tensor:
        """Return numbers of about mean 0 and deviation 1, (rows, frames, bands).

        Args:
            bands: Logarithms of power, (rows, frames, bands).
            ends: When each frame ends, in seconds, 0 in the padding, (rows, frames).
        """
        return (bands - self.means) / self.deviations * is_heard(ends)


def is_heard(ends: Tensor) -> Tensor:
    """Return 1 for each frame of a recording and 0 for padding, (rows, frames, 1)."""
    return (ends > 0).to(ends.dtype).unsqueeze(2)


def pairs_of(frames: Tensor) -> tuple[Tensor, Tensor]:
    """Return the first and the second frame of each pair, zeros where the last one stands alone.

    Args:
        frames: (rows, frames, ...).

    >>> [frame.tolist() for frame in pairs_of(torch.tensor([[1, 2, 3]]))]
    [[[1, 3]], [[2, 0]]]
    """
    # By slices, whose lengths an export can tell to be equal; a stride or a pooling would fix the length.
    filled = torch.cat([frames, torch.zeros_like(frames[:, :1])], dim=1)
    return frames[:, ::2], filled[:, 1::2]


def halved(frames: Tensor) -> Tensor:
    """Return the larger of each pair of frames, (rows, half the frames, rounded up, ...).

    Args:
        frames: Not below 0, (rows, frames, ...): ends, or what a rectifier lets through.

    >>> halved(torch.tensor([[0.1, 0.2, 0.3, 0.0]]))
    tensor([[0.2000, 0.3000]])
    """
    return torch.maximum(*pairs_of(frames))


class FrameConvolution(nn.Module):
    """A convolution over the frames: each output sees some frames side by side, all their bands at once.

    The first layer of a fully connected network on spliced frames is just this.

    Args:
        size_in: Numbers of a frame that comes in.
        size_out: Numbers of a frame that goes out.
        before: Earlier frames seen besides the present one.
        after: Later frames seen.
    """

    def __init__(self, size_in: int, size_out: int, before: int, after: int) -> None:
        super().__init__()
        self.margins = (before, after)
        self.convolution = nn.Conv1d(size_in, size_out, before + 1 + after)

    def forward(self, vectors: Tensor) -> Tensor:
        """Return (rows, frames, size_out).

        Args:
            vectors: 0 in the padding, (rows, frames, size_in).
        """
        padded = functional.pad(vectors.transpose(1, 2), self.margins)  # (rows, size_in, frames + margins)
        return self.convolution(padded).transpose(1, 2)  # type: ignore[no-any-return]


class SpeechEnd(nn.Module):
    """The last layer: the logits of one label for the whole recording, or of a symbol for each frame.

    Args:
        size: Numbers of a frame.
        labels: Number of labels or symbols.
        is_sequence: Whether each frame gets logits, of the blank and of every symbol.
        dropout: Share of the numbers left out in training.
    """

    def __init__(self, size: int, labels: int, is_sequence: bool, dropout: float) -> None:
        super().__init__()
        self.is_sequence = is_sequence
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(size, labels + 1) if is_sequence else nn.Linear(2 * size, labels)

    def forward(self, vectors: Tensor, ends: Tensor) -> Tensor:
        """Return the logits, (rows, labels), or with the ends before them, (rows, frames, 2 + symbols).

        Args:
            vectors: (rows, frames, size).
            ends: In seconds, 0 in the padding, (rows, frames).
        """
        if not self.is_sequence:
            return self.out(self.dropout(mean_and_max(vectors, ends > 0)))  # type: ignore[no-any-return]
        logits = self.out(self.dropout(vectors)) * is_heard(ends)
        return torch.cat([ends.unsqueeze(2), logits], dim=2)
