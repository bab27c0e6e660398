"""Convolutions over words and over pictures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.pooling import masked_max


class WordConvolutions(nn.Module):
    """Filters of several widths over the words; of each filter the strongest answer in the row.

    Source: Kim (2014), Convolutional neural networks for sentence classification, section 2.

    Args:
        size: Length of a word's vector.
        widths: Words a filter sees.
        filters: Number of filters of each width.
    """

    def __init__(self, size: int, widths: Sequence[int], filters: int) -> None:
        super().__init__()
        self.widths = tuple(widths)
        self.convolutions = nn.ModuleList(nn.Conv1d(size, filters, width) for width in self.widths)

    def forward(self, vectors: Tensor, is_token: Tensor) -> Tensor:
        """Return the strongest answers, (rows, len(widths) * filters).

        Args:
            vectors: (rows, length, size).
            is_token: bool, (rows, length).
        """
        # Zeros beyond the end, so that a row of one word has an answer of every width.
        words = (vectors * is_token.unsqueeze(2)).transpose(1, 2)  # (rows, size, length)
        answers = []
        for width, convolution in zip(self.widths, self.convolutions, strict=True):
            padded = functional.pad(words, ((width - 1) // 2, width // 2))
            answer = functional.relu(convolution(padded)).transpose(1, 2)  # (rows, length, filters)
            answers.append(masked_max(answer, is_token))
        return torch.cat(answers, dim=1)


class ConvolutionNorm(nn.Sequential):
    """A convolution and batch normalisation."""

    def __init__(self, channels_in: int, channels_out: int, width: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, width, stride, padding=width // 2, bias=False),
            nn.BatchNorm2d(channels_out),
        )


class SqueezeExcitation(nn.Module):
    """Each channel is weighed by what all channels see on the whole picture.

    Source: Hu, Shen, Sun (2018), Squeeze-and-excitation networks, section 3.

    Args:
        channels: Number of channels, at least 4.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.Linear(channels, channels // 4), nn.ReLU(), nn.Linear(channels // 4, channels), nn.Sigmoid()
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the weighed channels, (rows, channels, height, width)."""
        weights: Tensor = self.gate(pixels.mean(dim=(2, 3)))  # (rows, channels)
        return pixels * weights[:, :, None, None]


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions whose result is added to what came in.

    The last normalisation starts at 0, so that every block starts as the identity; where the picture shrinks, the
    shortcut averages before its convolution and so loses no pixel; in training whole blocks are left out.

    Sources: He et al. (2016), Deep residual learning, section 3; He et al. (2019), Bag of tricks for image
    classification, sections 3.1 (zero gamma) and 4.1 (ResNet-D); Huang et al. (2016), Deep networks with
    stochastic depth, section 3.

    Args:
        channels_in: Channels that come in.
        channels_out: Channels that go out.
        stride: 2 halves height and width.
        left_out: Share of rows for which the block is left out in training.
    """

    def __init__(self, channels_in: int, channels_out: int, stride: int, left_out: float) -> None:
        super().__init__()
        self.first = ConvolutionNorm(channels_in, channels_out, 3, stride)
        self.second = ConvolutionNorm(channels_out, channels_out, 3)
        self.excitation = SqueezeExcitation(channels_out)
        self.left_out = left_out
        nn.init.zeros_(self.second[1].weight)  # type: ignore[arg-type]
        shortcut: list[nn.Module] = []
        if stride > 1:
            shortcut.append(nn.AvgPool2d(stride, ceil_mode=True, count_include_pad=False))
        if stride > 1 or channels_in != channels_out:
            shortcut.append(ConvolutionNorm(channels_in, channels_out, 1))
        self.shortcut = nn.Sequential(*shortcut)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return (rows, channels_out, height / stride, width / stride), rounded up.

        Args:
            pixels: (rows, channels_in, height, width).
        """
        changed = self.excitation(self.second(functional.relu(self.first(pixels))))
        if self.training and self.left_out > 0:
            kept = torch.rand(len(pixels), 1, 1, 1, device=pixels.device) >= self.left_out
            changed = changed * kept / (1 - self.left_out)
        return functional.relu(changed + self.shortcut(pixels))


def stem(channels_in: int, channels_out: int, shrink: int) -> nn.Sequential:
    """Return the first layers of a picture network: they see small pictures whole and shrink large ones early.

    Args:
        channels_in: 1 for grey, 3 for colour.
        channels_out: Channels that go out.
        shrink: 1, 2 or 4: by what height and width are divided.
    """
    if shrink < 4:
        return nn.Sequential(ConvolutionNorm(channels_in, channels_out, 3, shrink), nn.ReLU())
    half = channels_out // 2
    return nn.Sequential(
        ConvolutionNorm(channels_in, half, 5, 2),
        nn.ReLU(),
        ConvolutionNorm(half, channels_out, 3),
        nn.ReLU(),
        nn.MaxPool2d(3, 2, padding=1),
    )
