"""The one-stage detector: a map of the things' centres, and from each place the distances to a box's four edges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.convolution import ConvolutionNorm, ResidualBlock
from servery.nn.network import Network
from servery.nn.normalising import NormalisePixels

STRIDE = 4
"""Pixels of a picture's side for each place of the maps."""
RARE = 0.02
"""Score of every place before anything is learned: with even odds the many empty places would drown the rest."""


class CentreDetector(Network):
    """Residual stages shrink the picture, a feature pyramid brings what they saw back to a quarter of its size.

    Sources: Zhou, Wang, Kraehenbuehl (2019), Objects as points, section 3 (centres as peaks of a map); Liu et al.
    (2020), Training-time-friendly network, section 4 (four distances from any place near a centre); Lin et al.
    (2017), Feature pyramid networks, section 3; Lin et al. (2017), Focal loss, section 3.3 (the first scores).

    Args:
        channels: 1 for grey, 3 for colour.
        means: Mean of each channel, from 0 to 255.
        deviations: Deviation of each channel.
        widths: Channels of each stage; the first one stands at a quarter of the picture, each next at half of it.
        depth: Blocks of each stage.
        neck: Channels of the pyramid.
        labels: Number of labels.
    """

    name = "centre_detector"
    axes = {"pixels": ("rows",), "frames": ("rows",)}

    def __init__(
        self,
        channels: int,
        means: Sequence[float],
        deviations: Sequence[float],
        widths: Sequence[int],
        depth: int,
        neck: int,
        labels: int,
    ) -> None:
        super().__init__()
        self.labels = labels
        self.normalise = NormalisePixels(means, deviations)
        self.stem = nn.Sequential(ConvolutionNorm(channels, widths[0] // 2, 3, 2), nn.ReLU())
        inner = [widths[0] // 2, *widths]
        self.stages = nn.ModuleList(_stage(*pair, depth) for pair in pairwise(inner))
        self.laterals = nn.ModuleList(ConvolutionNorm(width, neck, 1) for width in widths)
        self.mix = nn.Sequential(ConvolutionNorm(neck, neck, 3), nn.ReLU())
        self.centres = nn.Sequential(ConvolutionNorm(neck, neck, 3), nn.ReLU(), nn.Conv2d(neck, labels, 1))
        self.edges = nn.Sequential(ConvolutionNorm(neck, neck, 3), nn.ReLU(), nn.Conv2d(neck, 4, 1))
        nn.init.constant_(self.centres[-1].bias, -math.log(1 / RARE - 1))  # type: ignore[arg-type]

    def maps(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the logits of the centres, (rows, labels, height, width), and the distances, (rows, 4, ...).

        Args:
            pixels: 0 to 255, (rows, channels, 4 * height, 4 * width).

        Returns:
            Maps of a quarter of the size; distances are in pixels: to the left, the top, the right, the bottom edge.
        """
        seen = self.normalise(pixels)
        if not torch.onnx.is_in_onnx_export():
            # Quicker on the CPU; the order of numbers in memory, not their meaning.
            seen = seen.contiguous(memory_format=torch.channels_last)
        seen, steps = self.stem(seen), []
        for stage in self.stages:
            seen = stage(seen)
            steps.append(seen)
        joined = self.laterals[-1](steps[-1])
        for place in reversed(range(len(steps) - 1)):
            lateral = self.laterals[place](steps[place])
            joined = lateral + functional.interpolate(joined, size=lateral.shape[2:], mode="nearest")
        mixed = self.mix(functional.relu(joined))
        # Steps of 4 pixels about the usual size: nothing overflows, and a start of 0 means 4 pixels.
        distances = torch.exp(self.edges(mixed).float().clamp(-4, 6)) * STRIDE
        return self.centres(mixed), distances

    def forward(self, pixels: Tensor, frames: Tensor) -> Tensor:  # type: ignore[override]
        """Return what the task calls outputs, float32, (rows, 1 + places, 4 + labels).

        Args:
            pixels: 0 to 255, (rows, channels, height, width).
            frames: Width and height of each whole picture, then those of its copy in the upper left corner of
                `pixels`, float32, (rows, 4).
        """
        logits, distances = self.maps(pixels)
        down = (torch.arange(logits.shape[2], device=pixels.device) + 0.5)[:, None] * STRIDE  # (height, 1)
        across = (torch.arange(logits.shape[3], device=pixels.device) + 0.5)[None, :] * STRIDE  # (1, width)
        left, top, right, bottom = distances.unbind(dim=1)
        edges = torch.stack([across - left, down - top, across + right, down + bottom], dim=1)
        shares = edges / frames[:, [2, 3, 2, 3]][:, :, None, None]
        places = torch.cat([shares, logits.float()], dim=1).flatten(2).transpose(1, 2)
        sizes = functional.pad(frames[:, :2], (0, 2 + self.labels))
        return torch.cat([sizes[:, None, :], places], dim=1)


def _stage(channels_in: int, channels_out: int, depth: int) -> nn.Sequential:
    deeper = [ResidualBlock(channels_out, channels_out, 1, 0.0) for _ in range(depth - 1)]
    return nn.Sequential(ResidualBlock(channels_in, channels_out, 2, 0.0), *deeper)
