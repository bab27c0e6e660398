"""The small U-Net that says where a noisy picture should go."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.denoising import GROUP_CHANNELS, ConditionedBlock, PictureAttention, TimeEmbedding
from servery.nn.network import Network


class DenoisingUnet(Network):
    """Down over stages that halve the picture, up again with what was seen on the way down beside it.

    Small patches of pixels become channels first, so that the stages see a quarter of the places.

    Source: Ronneberger et al. (2015), U-Net, section 2; Ho et al. (2020), Denoising diffusion probabilistic models,
    section 4; the category that is left out at random: Ho, Salimans (2022), Classifier-free diffusion guidance,
    section 3.2.

    Args:
        channels: Of the picture: 1 grey, 3 colour, 4 with transparency.
        categories: What can be drawn; the category after the last one stands for none.
        patch: Pixels of a patch's side.
        widths: Channels of each stage, multiples of 8.
        depth: Blocks of each stage, on each way.
        heads: Of the attention at the smallest stage.
        dropout: Share of numbers left out in training.
    """

    name = "denoising_unet"
    axes = {"noisy": ("rows",), "time": ("rows",), "category": ("rows",)}

    def __init__(
        self,
        channels: int,
        categories: int,
        patch: int,
        widths: Sequence[int],
        depth: int,
        heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.patch = patch
        size = 2 * widths[0]
        self.time = TimeEmbedding(size)
        self.category = nn.Embedding(categories + 1, size)
        self.enter = nn.Conv2d(channels * patch**2, widths[0], 3, padding=1)
        self.down, self.shrink = nn.ModuleList(), nn.ModuleList()
        self.up, self.grow = nn.ModuleList(), nn.ModuleList()
        before = widths[0]
        for stage, width in enumerate(widths[:-1]):
            self.down.append(_stage(before, width, size, depth, dropout))
            self.shrink.append(nn.Conv2d(width, width, 3, stride=2, padding=1))
            # On the way up a picture is doubled after its convolution, which then costs a quarter.
            self.grow.insert(0, nn.Conv2d(widths[stage + 1], width, 3, padding=1))
            self.up.insert(0, _stage(2 * width, width, size, depth, dropout))
            before = width
        self.first = _stage(before, widths[-1], size, depth, dropout)
        self.attention = PictureAttention(widths[-1], heads)
        self.second = _stage(widths[-1], widths[-1], size, depth, dropout)
        self.leave = nn.Sequential(
            nn.GroupNorm(widths[0] // GROUP_CHANNELS, widths[0]),
            nn.SiLU(),
            nn.Conv2d(widths[0], channels * patch**2, 3, padding=1),
        )
        nn.init.zeros_(self.leave[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.leave[-1].bias)  # type: ignore[arg-type]

    def forward(self, noisy: Tensor, time: Tensor, category: Tensor) -> Tensor:  # type: ignore[override]
        """Return where each pixel should go, (rows, channels, height, width).

        Args:
            noisy: (rows, channels, height, width); the sides divide by patch * 2 ** (stages - 1).
            time: From 0, all noise, to 1, all picture, (rows,).
            category: From 0; `categories` for none, int64, (rows,).
        """
        condition = functional.silu(self.time(time) + self.category(category))
        seen = self.enter(functional.pixel_unshuffle(noisy, self.patch))
        kept = []
        for blocks, shrink in zip(self.down, self.shrink, strict=True):
            seen = _through(blocks, seen, condition)
            kept.append(seen)
            seen = shrink(seen)
        seen = self.attention(_through(self.first, seen, condition))
        seen = _through(self.second, seen, condition)
        for blocks, grow in zip(self.up, self.grow, strict=True):
            seen = functional.interpolate(grow(seen), scale_factor=2.0, mode="nearest")
            seen = _through(blocks, torch.cat([seen, kept.pop()], dim=1), condition)
        return functional.pixel_shuffle(self.leave(seen), self.patch)


def _stage(channels_in: int, channels_out: int, condition: int, depth: int, dropout: float) -> nn.ModuleList:
    return nn.ModuleList(
        ConditionedBlock(channels_out if number else channels_in, channels_out, condition, dropout)
        for number in range(depth)
    )


def _through(blocks: nn.Module, seen: Tensor, condition: Tensor) -> Tensor:
    assert isinstance(blocks, nn.ModuleList)
    for block in blocks:
        seen = block(seen, condition)
    return seen
