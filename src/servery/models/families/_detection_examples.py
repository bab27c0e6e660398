"""Training pictures with their things, changed at random, and the maps that a detector learns from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from servery.errors import DataError
from servery.models.encoders.letterbox import GREY
from servery.models.families._examples import EncodedExamples
from servery.nn.networks.centre_detector import STRIDE

FLIPS = ("none", "horizontal", "all")
LEAST_LEFT = 0.4
"""Share of a box that must stay in the picture when it is cropped; the rest of a thing is too little to tell it."""
SPREAD = 0.54 / 6
"""Deviation of a centre's bump, as a share of its box's side (Liu et al. 2020, section 4.1)."""
LEAST_SPREAD = 0.4
"""In places: a bump narrower than that would miss its neighbours altogether."""
LEAST_BUMP = 0.05
"""Height of a bump from which a place learns the box."""


@dataclass(frozen=True)
class Shaking:
    """How training pictures are changed.

    Attributes:
        zoom: Largest factor of size either way; 1 leaves size and place.
        jitter: Largest change of contrast and colour (factor e^jitter) and of brightness (jitter x 64).
        flip: "none", "horizontal", or "all": also upside down.

    Raises:
        DataError: There is no such flip, or the zoom is below 1.
    """

    zoom: float
    jitter: float
    flip: str

    def __post_init__(self) -> None:
        if self.flip not in FLIPS:
            raise DataError(f"flip is {self.flip!r}; expected {', '.join(FLIPS)}.", param="flip")
        if self.zoom < 1:
            raise DataError(
                f"zoom is {self.zoom:g}; expected at least 1, which changes no size.", param="zoom"
            )


class DetectionExamples(EncodedExamples):
    """Sheets in memory with the boxes on them.

    Args:
        arrays: `pixels` and `frames` of the encoder `letterbox`.
        targets: Of the task detection: objects, (rows,), each (things, 5), edges as shares of the picture.
        labels: Number of labels.
        shaking: Changes a training batch at random; None for no change.
        repeats: How often an epoch takes each sheet.
    """

    def __init__(
        self,
        arrays: dict[str, np.ndarray],
        targets: np.ndarray,
        labels: int,
        shaking: Shaking | None = None,
        repeats: int = 1,
    ) -> None:
        super().__init__(arrays, np.tile(np.arange(len(targets)), repeats))
        self.things = targets
        self.labels = labels
        self.shaking = shaking
        sides = arrays["frames"][:, [2, 3, 2, 3]].astype(np.float64)
        self._boxes = [things[:, 1:] * side for things, side in zip(targets, sides, strict=True)]
        self._kinds = [things[:, 0].astype(np.int64) for things in targets]

    def batch(  # type: ignore[override]
        self, rows: np.ndarray, seed: int, epoch: int, step: int
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return the changed sheets, and the maps of what is on them; all chance follows from the arguments."""
        rows = self.targets.numpy()[rows]
        pixels = self.arrays["pixels"][torch.from_numpy(rows)].float()
        boxes, kinds = [self._boxes[row] for row in rows], [self._kinds[row] for row in rows]
        if self.shaking is not None:
            generator = np.random.default_rng([seed, epoch, step])
            pixels, boxes, kinds = _shaken(pixels, boxes, kinds, self.shaking, generator)
        height, width = pixels.shape[2] // STRIDE, pixels.shape[3] // STRIDE
        maps = [_maps(*found, self.labels, height, width) for found in zip(boxes, kinds, strict=True)]
        names = ("centres", "edges", "weights")
        targets = {
            name: torch.from_numpy(np.stack(parts))
            for name, parts in zip(names, zip(*maps, strict=True), strict=True)
        }
        return {"pixels": pixels}, targets


def _shaken(
    pixels: Tensor,
    boxes: Sequence[np.ndarray],
    kinds: Sequence[np.ndarray],
    shaking: Shaking,
    generator: np.random.Generator,
) -> tuple[Tensor, list[np.ndarray], list[np.ndarray]]:
    """Zoom, move and mirror each sheet with its boxes, and change its colours."""
    rows, (height, width) = len(pixels), pixels.shape[2:]
    zoom = np.exp(generator.uniform(-1, 1, rows) * math.log(shaking.zoom))
    turns = np.array([shaking.flip != "none", shaking.flip == "all"])
    signs = np.where(generator.random((rows, 2)) < 0.5 * turns, -1.0, 1.0)  # across, down
    # Any part of a larger sheet, or any place of a smaller one: the room there is between the two sizes.
    moved = generator.uniform(-1, 1, (rows, 2)) * np.abs(zoom - 1)[:, None]
    scales = zoom[:, None] * signs  # from old to new, with the middle at 0 and the edges at 1
    inverse = np.zeros((rows, 2, 3), np.float32)
    inverse[:, 0, 0], inverse[:, 1, 1] = (1 / scales).T
    inverse[:, :, 2] = -moved / scales
    grid = functional.affine_grid(torch.from_numpy(inverse), list(pixels.shape), align_corners=False)
    pixels = functional.grid_sample(pixels - GREY, grid, align_corners=False) + GREY
    half = np.array([width, height]) / 2
    new_boxes, new_kinds = [], []
    for row in range(rows):
        corners = (boxes[row].reshape(-1, 2, 2) - half) * scales[row] + moved[row] * half + half
        whole = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
        cut = whole.clip(0, [width, height, width, height])
        left = _areas(cut) >= LEAST_LEFT * _areas(whole)
        new_boxes.append(cut[left])
        new_kinds.append(kinds[row][left])
    return _coloured(pixels, shaking.jitter, generator), new_boxes, new_kinds


def _coloured(pixels: Tensor, jitter: float, generator: np.random.Generator) -> Tensor:
    colour, contrast, light = (
        torch.from_numpy(generator.uniform(-jitter, jitter, (len(pixels), 1, 1, 1)).astype(np.float32))
        for _ in range(3)
    )
    grey = pixels.mean(dim=1, keepdim=True)
    coloured = grey + (pixels - grey) * colour.exp()
    mean = coloured.mean(dim=(1, 2, 3), keepdim=True)
    return (coloured - mean) * contrast.exp() + mean + light * 64


def _areas(boxes: np.ndarray) -> np.ndarray:
    return np.asarray((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]))


def _maps(
    boxes: np.ndarray, kinds: np.ndarray, labels: int, height: int, width: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what the network should say of one sheet, float32.

    Args:
        boxes: In pixels, (things, 4).
        kinds: Labels of the things, (things,).
        labels: Number of labels.
        height: Places of the maps.
        width: Places of the maps.

    Returns:
        Bumps at the centres, 1 at their tops, (labels, height, width); the edges of the box that a place is to tell,
        in pixels, (4, height, width); how much that counts, (height, width).

    Source: Liu et al. (2020), Training-time-friendly network, sections 4.1 and 4.2.
    """
    centres = np.zeros((labels, height, width), np.float32)
    edges = np.zeros((4, height, width), np.float32)
    weights = np.zeros((height, width), np.float32)
    # The largest first, so that the smaller of two things keeps the places they share.
    for thing in np.argsort(-_areas(boxes), kind="stable"):
        xmin, ymin, xmax, ymax = boxes[thing]
        across = _bump((xmin + xmax) / 2, xmax - xmin, width)
        down = _bump((ymin + ymax) / 2, ymax - ymin, height)
        bump = down[:, None] * across[None, :]  # (height, width)
        centres[kinds[thing]] = np.maximum(centres[kinds[thing]], bump)
        is_near = bump > LEAST_BUMP
        edges[:, is_near] = boxes[thing, :, None]
        # A thing counts by the logarithm of its size, shared among its places.
        size = math.log(max(_areas(boxes[thing : thing + 1])[0], math.e))
        weights[is_near] = (bump[is_near] / bump[is_near].sum() * size).astype(np.float32)
    return centres, edges, weights


def _bump(middle: float, side: float, places: int) -> np.ndarray:
    """Return a Gaussian of a box's side over the places, 1 at the place that holds its middle."""
    top = min(max(int(middle / STRIDE), 0), places - 1)
    spread = max(SPREAD * side / STRIDE, LEAST_SPREAD)
    return np.exp(-0.5 * ((np.arange(places) - top) / spread) ** 2).astype(np.float32)
