"""The small U-Net that says where a noisy picture should go."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.denoising import ConditionedBlock, PictureAttention, TimeEmbedding
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
        before, kept = widths[0], [widths[0]]
        for stage, width in enumerate(widths):
            blocks = nn.ModuleList()
            for _ in range(depth):
                blocks.append(ConditionedBlock(before, width, size, dropout))
                before = width
                kept.append(width)
            self.down.append(blocks)
            if stage < len(widths) - 1:
                self.shrink.append(nn.Conv2d(width, width, 3, stride=2, padding=1))
                kept.append(width)
        self.middle = nn.ModuleList(
            [
                ConditionedBlock(before, before, size, dropout),
                PictureAttention(before, heads),
                ConditionedBlock(before, before, size, dropout),
            ]
        )
        for stage, width in reversed(list(enumerate(widths))):
            blocks = nn.ModuleList()
            for _ in range(depth + 1):
                blocks.append(ConditionedBlock(before + kept.pop(), width, size, dropout))
                before = width
            self.up.append(blocks)
            if stage:
                self.grow.append(nn.Conv2d(width, width, 3, padding=1))
        self.leave = nn.Sequential(
            nn.GroupNorm(before // 8, before), nn.SiLU(), nn.Conv2d(before, channels * patch**2, 3, padding=1)
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
        kept = [seen]
        for stage, blocks in enumerate(self.down):
            for block in blocks:  # type: ignore[attr-defined]
                seen = block(seen, condition)
                kept.append(seen)
            if stage < len(self.shrink):
                seen = self.shrink[stage](seen)
                kept.append(seen)
        first, attention, second = self.middle
        seen = second(attention(first(seen, condition)), condition)
        for stage, blocks in enumerate(self.up):
            for block in blocks:  # type: ignore[attr-defined]
                seen = block(torch.cat([seen, kept.pop()], dim=1), condition)
            if stage < len(self.grow):
                seen = self.grow[stage](functional.interpolate(seen, scale_factor=2.0, mode="nearest"))
        return functional.pixel_shuffle(self.leave(seen), self.patch)
