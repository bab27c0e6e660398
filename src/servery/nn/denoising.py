"""The parts of a network that turns noise into pictures: the time on the way, conditioned blocks, attention."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

LONGEST_PERIOD = 10_000.0
TIME_SCALE = 1000.0
"""Times from 0 to 1 are told apart as well as the thousand steps that the wave lengths were made for."""
GROUP_CHANNELS = 8


class TimeEmbedding(nn.Module):
    """A number from 0 to 1 as waves of many lengths, then two linear layers.

    Source: Vaswani et al. (2017), Attention is all you need, section 3.5; Ho et al. (2020), Denoising diffusion
    probabilistic models, section 4.

    Args:
        size: Length of the vector, even.
    """

    frequencies: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        half = size // 2
        exponents = torch.arange(half, dtype=torch.float32) / half
        frequencies = TIME_SCALE * torch.exp(-math.log(LONGEST_PERIOD) * exponents)
        self.register_buffer("frequencies", frequencies, persistent=False)
        self.layers = nn.Sequential(nn.Linear(2 * half, size), nn.SiLU(), nn.Linear(size, size))

    def forward(self, time: Tensor) -> Tensor:
        """Return vectors, (rows, size).

        Args:
            time: From 0 to 1, (rows,).
        """
        angles = time[:, None] * self.frequencies[None]  # (rows, size / 2)
        return self.layers(torch.cat([angles.sin(), angles.cos()], dim=1))  # type: ignore[no-any-return]


class ConditionedBlock(nn.Module):
    """Two 3 x 3 convolutions added to what came in; the condition scales and shifts what is between them.

    The last convolution starts at 0, so that every block starts as the identity.

    Source: Dhariwal, Nichol (2021), Diffusion models beat GANs on image synthesis, section 3.1.

    Args:
        channels_in: Channels that come in, a multiple of 8.
        channels_out: Channels that go out, a multiple of 8.
        condition: Length of the condition's vector.
        dropout: Share of the numbers between the convolutions left out in training.
    """

    def __init__(self, channels_in: int, channels_out: int, condition: int, dropout: float) -> None:
        super().__init__()
        self.before = nn.GroupNorm(channels_in // GROUP_CHANNELS, channels_in)
        self.first = nn.Conv2d(channels_in, channels_out, 3, padding=1)
        self.between = nn.GroupNorm(channels_out // GROUP_CHANNELS, channels_out)
        self.film = nn.Linear(condition, 2 * channels_out)
        self.dropout = nn.Dropout(dropout)
        self.second = nn.Conv2d(channels_out, channels_out, 3, padding=1)
        nn.init.zeros_(self.second.weight)
        nn.init.zeros_(self.second.bias)  # type: ignore[arg-type]
        is_same = channels_in == channels_out
        self.shortcut = nn.Identity() if is_same else nn.Conv2d(channels_in, channels_out, 1)

    def forward(self, pixels: Tensor, condition: Tensor) -> Tensor:
        """Return (rows, channels_out, height, width).

        Args:
            pixels: (rows, channels_in, height, width).
            condition: (rows, length).
        """
        changed = self.first(functional.silu(self.before(pixels)))
        scale, shift = self.film(condition)[:, :, None, None].chunk(2, dim=1)
        changed = self.between(changed) * (1 + scale) + shift
        changed = self.second(self.dropout(functional.silu(changed)))
        return changed + self.shortcut(pixels)  # type: ignore[no-any-return]


class PictureAttention(nn.Module):
    """Every place of a small picture looks at every other.

    Source: Ho et al. (2020), Denoising diffusion probabilistic models, section 4 and appendix B.

    Args:
        channels: A multiple of 8 and of the heads.
        heads: Number of heads.
    """

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.before = nn.GroupNorm(channels // GROUP_CHANNELS, channels)
        self.asked = nn.Conv2d(channels, 3 * channels, 1)
        self.told = nn.Conv2d(channels, channels, 1)
        nn.init.zeros_(self.told.weight)
        nn.init.zeros_(self.told.bias)  # type: ignore[arg-type]

    def forward(self, pixels: Tensor) -> Tensor:
        """Return the pixels with what was seen elsewhere added, (rows, channels, height, width)."""
        rows, channels, height, width = pixels.shape
        parts = self.asked(self.before(pixels)).view(rows, 3, self.heads, channels // self.heads, -1)
        query, key, value = parts.transpose(3, 4).unbind(dim=1)  # (rows, heads, places, size)
        seen = functional.scaled_dot_product_attention(query, key, value)
        told = self.told(seen.transpose(2, 3).reshape(rows, channels, height, width))
        return pixels + told  # type: ignore[no-any-return]
