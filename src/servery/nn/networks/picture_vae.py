"""The conditional variational autoencoder for small pictures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.denoising import ConditionedBlock
from servery.nn.network import Network


class PictureVae(Network):
    """A picture to a few numbers near standard normal ones, and back; both ways know the category.

    `forward` is the way back alone: it draws.

    Sources: Kingma, Welling (2014), Auto-encoding variational Bayes, section 3; Sohn et al. (2015), Learning
    structured output representation using deep conditional generative models, section 4.

    Args:
        channels: Of the picture.
        height: Pixels, a multiple of 2 ** (stages of widths).
        width: Likewise.
        categories: What can be drawn.
        latent: Numbers that a picture becomes.
        widths: Channels of each stage, multiples of 8; a stage halves the picture before it.
    """

    name = "picture_vae"
    axes = {"thing": ("rows",), "noise": ("rows",)}

    def __init__(
        self, channels: int, height: int, width: int, categories: int, latent: int, widths: Sequence[int]
    ) -> None:
        super().__init__()
        self.shape = (widths[-1], height // 2 ** len(widths), width // 2 ** len(widths))
        size, places = widths[-1], self.shape[1] * self.shape[2]
        self.category = nn.Embedding(categories, size)
        self.enter = nn.Conv2d(4 * channels, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            ConditionedBlock(4 * before if stage else before, width_, size, 0.0)
            for stage, (before, width_) in enumerate(zip((widths[0], *widths), widths, strict=False))
        )
        self.told = nn.Linear(size * places, 2 * latent)
        self.asked = nn.Linear(latent + size, size * places)
        self.up = nn.ModuleList(
            ConditionedBlock(before, width_, size, 0.0)
            for before, width_ in zip((widths[-1], *reversed(widths)), reversed(widths), strict=False)
        )
        self.leave = nn.Conv2d(widths[0], 4 * channels, 3, padding=1)

    def forward(self, thing: Tensor, noise: Tensor) -> Tensor:  # type: ignore[override]
        """Return pictures, 0 to 1, (rows, channels, height, width).

        Args:
            thing: int64, (rows,).
            noise: Standard normal, (rows, latent).
        """
        condition = self.category(thing)
        seen = self.asked(torch.cat([noise, condition], dim=1)).view(-1, *self.shape)
        for stage, block in enumerate(self.up):
            if stage:
                seen = functional.interpolate(seen, scale_factor=2.0, mode="nearest")
            seen = block(seen, condition)
        return functional.pixel_shuffle(self.leave(functional.silu(seen)), 2).sigmoid()

    def encode(self, pictures: Tensor, thing: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and logarithm of the variance of each picture's numbers, (rows, latent).

        Args:
            pictures: 0 to 1, (rows, channels, height, width).
            thing: int64, (rows,).
        """
        condition = self.category(thing)
        seen = self.enter(functional.pixel_unshuffle(2 * pictures - 1, 2))
        for stage, block in enumerate(self.down):
            seen = block(functional.pixel_unshuffle(seen, 2) if stage else seen, condition)
        mean, log_variance = self.told(functional.silu(seen).flatten(1)).chunk(2, dim=1)
        return mean, log_variance.clamp(-12, 6)
