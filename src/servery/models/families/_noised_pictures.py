"""Pictures at random times on their way from noise, and the loss of a network that says where they should go."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from servery.models.families._drawing import WATCHED
from servery.models.families._examples import EncodedExamples
from servery.models.noise_paths import NoisePath
from servery.nn.network import Network

BATCH_ROWS = 128
TIMES_A_ROW = 4
"""So often each validation picture is looked at, at other times: one look says little."""


class NoisedPictures(EncodedExamples):
    """Batches of `noisy`, `time` and `category` with where each pixel should go.

    Args:
        pixels: uint8, (rows, channels, height, width).
        things: Their categories, int64, (rows,).
        path: The way from noise to picture.
        nothing: The category that stands for none.
        drop_share: Share of rows whose category is left out, so that the network learns to draw without one.
    """

    def __init__(
        self, pixels: np.ndarray, things: np.ndarray, path: NoisePath, nothing: int, drop_share: float
    ) -> None:
        super().__init__({"pixels": pixels}, things)
        self.path = path
        self.nothing = nothing
        self.drop_share = drop_share

    def batch(self, rows: np.ndarray, seed: int, epoch: int, step: int) -> tuple[dict[str, Tensor], Tensor]:
        """Return what the network sees and what it should put out; all chance follows from the arguments."""
        chance = np.random.default_rng([seed, epoch, step])
        pictures = self.arrays["pixels"].numpy()[rows].astype(np.float32) / 127.5 - 1
        noise = chance.standard_normal(pictures.shape, dtype=np.float32)
        times = self.path.times(chance, len(rows))
        things = self.targets.numpy()[rows].copy()
        things[chance.random(len(rows)) < self.drop_share] = self.nothing
        at = times[:, None, None, None]
        inputs = {
            "noisy": torch.from_numpy(self.path.mixed(pictures, noise, at)),
            "time": torch.from_numpy(times),
            "category": torch.from_numpy(things),
        }
        return inputs, torch.from_numpy(self.path.goal(pictures, noise, at))


class NoiseObjective:
    """Mean squared error of where pixels should go.

    Args:
        validation: Pictures to watch.
    """

    primary_metric = WATCHED

    def __init__(self, validation: NoisedPictures) -> None:
        self.validation = validation

    def loss(self, network: Network, inputs: dict[str, Tensor], targets: Tensor) -> Tensor:
        """Return the mean loss of a batch, a scalar."""
        return functional.mse_loss(network(**inputs).float(), targets)

    def validate(self, network: Network) -> dict[str, float]:
        """Return the loss on the validation pictures, at the same times with the same noise every epoch."""
        rows = np.tile(np.arange(len(self.validation)), TIMES_A_ROW)
        losses = 0.0
        with torch.inference_mode():
            for start in range(0, len(rows), BATCH_ROWS):
                some = rows[start : start + BATCH_ROWS]
                inputs, targets = _moved(self.validation.batch(some, 0, 0, start), network)
                losses += float(self.loss(network, inputs, targets)) * len(some)
        return {WATCHED: -losses / len(rows)}


def _moved(batch: Any, network: Network) -> Any:
    device = next(network.parameters()).device
    inputs, targets = batch
    return {name: array.to(device) for name, array in inputs.items()}, targets.to(device)
