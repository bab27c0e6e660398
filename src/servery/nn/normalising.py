"""Bytes of pictures become numbers of about mean 0 and deviation 1."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class NormalisePixels(nn.Module):
    """Subtract the channels' means and divide by their deviations.

    Args:
        means: Mean of each channel, from 0 to 255.
        deviations: Deviation of each channel.
    """

    means: Tensor
    deviations: Tensor

    def __init__(self, means: Sequence[float], deviations: Sequence[float]) -> None:
        super().__init__()
        shape = (1, len(means), 1, 1)
        self.register_buffer("means", torch.tensor(means).view(shape), persistent=False)
        self.register_buffer("deviations", torch.tensor(deviations).view(shape), persistent=False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return float32, (rows, channels, height, width).

        Args:
            pixels: 0 to 255, uint8 or float32, (rows, channels, height, width).
        """
        return (pixels.float() - self.means) / self.deviations
