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
from servery.models.encoders.pictures import Pictures

STRENGTHS = ("auto", "none", "light", "strong")
FLIPS = ("auto", "none", "horizontal", "all")
PHOTO_SIDE = 64
"""Grey pictures below are most often signs, digits or letters, which a mirror or a wide crop turns into others."""
LARGEST_STRETCH = 0.75 * math.log(4 / 3)


@dataclass(frozen=True)
class Augmentation:
    """Crop, flip, turn, brighten, all in one resampling; everything random comes from the generator.

    Source of random crops: Szegedy et al. (2015), Going deeper with convolutions, section 6.

    Attributes:
        height: Pixels of the pictures that come out.
        width: Pixels of the pictures that come out.
        smallest_crop: Smallest share of the area kept; 1 for no crop.
        rotation_degrees: Largest turn either way.
        jitter: Largest change of contrast and saturation (factor e^jitter) and of brightness (jitter deviations).
        flip: "none", "horizontal", or "all": mirrored and turned by quarters.
    """

    height: int
    width: int
    smallest_crop: float
    rotation_degrees: float
    jitter: float
    flip: str

    @classmethod
    def of(cls, hyperparameters: Mapping[str, Any], pictures: Pictures) -> Augmentation | None:
        """Return the augmentation that the hyperparameters ask for, or None for none.

        "auto" is light and without flips for small grey pictures, else strong with mirroring.

        Args:
            hyperparameters: Gives `augmentation` and `flip`.
            pictures: Size and colours that come out.

        Raises:
            DataError: There is no such choice.
        """
        strength = _choice("augmentation", hyperparameters["augmentation"], STRENGTHS)
        flip = _choice("flip", hyperparameters["flip"], FLIPS)
        is_sign = pictures.channels == 1 and max(pictures.width, pictures.height) < PHOTO_SIDE
        if strength == "auto":
            strength = "light" if is_sign else "strong"
        if flip == "auto":
            flip = "none" if is_sign else "horizontal"
        size = (pictures.height, pictures.width)
        if strength == "none":
            return None if flip == "none" else cls(*size, 1.0, 0.0, 0.0, flip)
        return cls(*size, 0.8, 10.0, 0.1, flip) if strength == "light" else cls(*size, 0.4, 15.0, 0.2, flip)

    def __call__(self, inputs: dict[str, Tensor], generator: torch.Generator) -> dict[str, Tensor]:
        """Return changed pictures: `pixels`, float32, 0 to 255 and a little beyond.

        Args:
            inputs: `pixels`, uint8, (rows, channels, any height, any width).
            generator: Source of all chance.
        """
        pixels = inputs["pixels"].float()
        shape = [*pixels.shape[:2], self.height, self.width]
        grid = functional.affine_grid(self._transforms(len(pixels), generator), shape, align_corners=False)
        moved = functional.grid_sample(pixels, grid, padding_mode="reflection", align_corners=False)
        return {**inputs, "pixels": self._brightened(moved, generator) if self.jitter else moved}

    def _transforms(self, rows: int, generator: torch.Generator) -> Tensor:
        def uniform(low: float, high: float) -> Tensor:
            return torch.rand(rows, generator=generator) * (high - low) + low

        area, aspect = uniform(self.smallest_crop, 1.0), torch.ones(rows)
        if self.smallest_crop < 1:
            aspect = uniform(-LARGEST_STRETCH, LARGEST_STRETCH).exp()
        wide, high = (area * aspect).sqrt().clamp(max=1), (area / aspect).sqrt().clamp(max=1)
        right, down = uniform(-1, 1) * (1 - wide), uniform(-1, 1) * (1 - high)
        angle = uniform(-1, 1) * math.radians(self.rotation_degrees)
        mirror = torch.ones(rows)
        if self.flip != "none":
            mirror = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
        if self.flip == "all":
            angle = angle + torch.floor(uniform(0, 4)) * (math.pi / 2)
        cosine, sine, ratio = angle.cos(), angle.sin(), self.height / self.width
        first = torch.stack([mirror * wide * cosine, -high * sine * ratio, right], dim=1)
        second = torch.stack([mirror * wide * sine / ratio, high * cosine, down], dim=1)
        return torch.stack([first, second], dim=1)  # (rows, 2, 3)

    def _brightened(self, pixels: Tensor, generator: torch.Generator) -> Tensor:
        def change() -> Tensor:
            return (torch.rand(len(pixels), 1, 1, 1, generator=generator) * 2 - 1) * self.jitter

        grey = pixels.mean(dim=1, keepdim=True)
        coloured = grey + (pixels - grey) * change().exp()
        mean = coloured.mean(dim=(1, 2, 3), keepdim=True)
        deviation = coloured.std(dim=(1, 2, 3), keepdim=True)
        return (coloured - mean) * change().exp() + mean + change() * deviation


def _choice(name: str, value: str, known: tuple[str, ...]) -> str:
    if value not in known:
        raise DataError(f"{name} is {value!r}; expected {', '.join(known)}.", param=name)
    return value
