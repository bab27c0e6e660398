"""Random changes of training pictures that leave their meaning."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from servery.errors import DataError

FLIPS = ("auto", "none", "horizontal", "all")
SMALL_SIDE = 32
"""Pictures up to this are most often signs, digits or letters, which a mirror turns into others."""
LARGEST_ASPECT = 4 / 3


@dataclass(frozen=True)
class Augmentation:
    """Crop, flip, turn, brighten; everything random comes from the generator.

    Source of random crops: Szegedy et al. (2015), Going deeper with convolutions, section 6.

    Attributes:
        smallest_crop: Smallest share of the area kept; 1 for no crop.
        rotation_degrees: Largest turn either way.
        flip: "none", "horizontal", or "all": mirrored and turned by quarters.
        jitter: Largest change of contrast (factor e^jitter) and of brightness (jitter deviations).
    """

    smallest_crop: float
    rotation_degrees: float
    flip: str
    jitter: float

    @classmethod
    def of(cls, hyperparameters: Mapping[str, Any], longest_side: int) -> Augmentation | None:
        """Return the augmentation that the hyperparameters ask for, or None for none.

        `flip` "auto" mirrors pictures of more than 32 pixels.

        Raises:
            DataError: There is no such `flip`.
        """
        flip = hyperparameters["flip"]
        if flip not in FLIPS:
            raise DataError(f"flip is {flip!r}; expected {', '.join(FLIPS)}.", param="flip")
        if flip == "auto":
            flip = "horizontal" if longest_side > SMALL_SIDE else "none"
        wanted = cls(
            hyperparameters["smallest_crop"],
            hyperparameters["rotation_degrees"],
            flip,
            hyperparameters["jitter"],
        )
        return None if wanted == cls(1.0, 0.0, "none", 0.0) else wanted

    def __call__(self, inputs: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Return changed pictures, float32, 0 to 255 and a little beyond, of the same shape."""
        pixels = inputs["pixels"].float()
        grid = functional.affine_grid(
            self._transforms(pixels, generator), list(pixels.shape), align_corners=False
        )
        moved = functional.grid_sample(pixels, grid, padding_mode="reflection", align_corners=False)
        return {**inputs, "pixels": self._brightened(moved, generator) if self.jitter else moved}

    def _transforms(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        rows, (height, width) = len(pixels), pixels.shape[2:]

        def uniform(low: float, high: float) -> Tensor:
            return torch.rand(rows, generator=generator) * (high - low) + low

        area, aspect = uniform(self.smallest_crop, 1.0), torch.ones(rows)
        if self.smallest_crop < 1:
            limit = math.log(LARGEST_ASPECT)
            aspect = uniform(-limit, limit).exp()
        wide, high = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
        right, down = uniform(-1, 1) * (1 - wide), uniform(-1, 1) * (1 - high)
        angle = uniform(-1, 1) * math.radians(self.rotation_degrees)
        mirror = torch.ones(rows)
        if self.flip != "none":
            mirror = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
        if self.flip == "all":
            angle = angle + torch.floor(uniform(0, 4)) * (math.pi / 2)
        cosine, sine, ratio = angle.cos(), angle.sin(), height / width
        first = torch.stack([mirror * wide * cosine, -high * sine * ratio, right], dim=1)
        second = torch.stack([mirror * wide * sine / ratio, high * cosine, down], dim=1)
        return torch.stack([first, second], dim=1)  # (rows, 2, 3)

    def _brightened(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        shape = (len(pixels), 1, 1, 1)
        contrast = (torch.rand(shape, generator=generator) * 2 - 1) * self.jitter
        brightness = (torch.rand(shape, generator=generator) * 2 - 1) * self.jitter
        mean = pixels.mean(dim=(1, 2, 3), keepdim=True)
        deviation = pixels.std(dim=(1, 2, 3), keepdim=True)
        return (pixels - mean) * contrast.exp() + mean + brightness * deviation
