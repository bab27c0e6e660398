"""Agents that go on as in their last step, in plain numpy; modes turn and hasten."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from servery.errors import ArtifactError
from servery.models.encoder import Batch
from servery.models.runtime import Runtime

FILE = "weights.safetensors"
MOVING_METRES = 0.05
"""Shortest last step from which it can be told how an agent turned."""
MOST_CENTRES_ROWS = 4000


class ConstantVelocity(Runtime):
    """Best guess: the last step again and again. Mode: the same, turned by an angle and longer or shorter.

    Args:
        factors: Of the last step, one a mode, as a complex number in two parts, float32, (modes, 2).
        shares: Of the training tracks that are nearest to each mode, float32, (modes,).
        horizon: Steps to tell.
        fastest: Longest step of the training tracks, metres.
    """

    name = "constant_velocity"

    def __init__(self, factors: np.ndarray, shares: np.ndarray, horizon: int, fastest: float) -> None:
        self.factors, self.shares, self.horizon, self.fastest = factors, shares, horizon, fastest

    @classmethod
    def fit(cls, targets: np.ndarray, modes: int, fastest: float, seed: int) -> ConstantVelocity:
        """Find how training tracks depart from going straight on: the centres of their turns and hastes.

        Args:
            targets: Of the task: each (agents, 2 + steps, 2).
            modes: Number of modes.
            fastest: Longest step of the training tracks, metres.
            seed: Of the choice of rows.
        """
        tracks = np.concatenate([target[np.isfinite(target).all(axis=(1, 2))] for target in targets])
        horizon = targets[0].shape[1] - 2
        step, went = _complex(tracks[:, 1]), _complex(tracks[:, -1]) / horizon
        moving = np.abs(step) > MOVING_METRES
        ratios = went[moving] / step[moving]
        if not len(ratios):
            ratios = np.ones(1, complex)
        chosen = np.random.default_rng(seed).permutation(len(ratios))[:MOST_CENTRES_ROWS]
        centres, shares = _centres(ratios[np.sort(chosen)], modes)
        factors = np.stack([centres.real, centres.imag], axis=1).astype(np.float32)
        return cls(factors, shares.astype(np.float32), horizon, fastest)

    def run(self, batch: Batch) -> np.ndarray:
        """Return the outputs of the task, float32, (rows, agents, 1 + modes, 1 + 2 * horizon)."""
        positions, seen = batch["positions"], batch["seen"]
        moves = np.diff(positions, axis=2) * (seen[:, :, 1:] * seen[:, :, :-1])[..., None]
        if not moves.shape[2]:
            moves = np.zeros((*moves.shape[:2], 1, 2), np.float32)
        step = _complex(moves[:, :, -1]) * seen[:, :, -1]  # (rows, agents)
        factors = np.concatenate([[1.0], _complex(self.factors)])
        ahead = step[:, :, None, None] * factors[:, None] * np.arange(1, self.horizon + 1)
        tracks = np.stack([ahead.real, ahead.imag], axis=-1).reshape(*ahead.shape[:3], -1)
        logits = np.empty((*ahead.shape[:3], 1))
        logits[:, :, 0, 0] = np.sqrt((moves**2).sum(axis=3)).max(axis=2) / self.fastest
        logits[:, :, 1:, 0] = np.log(np.maximum(self.shares, 1e-6))
        return np.concatenate([logits, tracks], axis=3).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write `weights.safetensors`."""
        save_file({"factors": self.factors, "shares": self.shares}, folder / FILE)

    def options(self) -> dict[str, Any]:
        """Return the horizon and the longest step."""
        return {"horizon": self.horizon, "fastest": self.fastest}

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> ConstantVelocity:
        """Read `weights.safetensors`.

        Raises:
            ArtifactError: The weights are torn or of other shapes.
        """
        try:
            tensors = load_file(folder / FILE)
            factors, shares = tensors["factors"], tensors["shares"]
            horizon, fastest = int(options["horizon"]), float(options["fastest"])
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"The weights in {folder.name} cannot be read: {error}.") from error
        if factors.shape != (len(shares), 2) or shares.ndim != 1 or horizon < 1 or not fastest > 0:
            raise ArtifactError(f"The weights in {folder.name} are {factors.shape} and {shares.shape}.")
        return cls(factors, shares, horizon, fastest)


def _complex(vectors: np.ndarray) -> np.ndarray:
    """Return vectors of two numbers, (..., 2), as complex numbers: turning and stretching is multiplying."""
    return np.asarray(vectors[..., 0] + 1j * vectors[..., 1])


def _centres(values: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return `count` centres of complex numbers and the share that each is nearest to (Lloyd 1982)."""
    if not count:
        return np.zeros(0, complex), np.zeros(0)
    order = np.argsort(np.angle(values), kind="stable")
    centres = values[order[np.linspace(0, len(values) - 1, count).astype(int)]].astype(complex)
    for _ in range(20):
        nearest = np.abs(values[:, None] - centres).argmin(axis=1)
        for place in range(count):
            if (nearest == place).any():
                centres[place] = values[nearest == place].mean()
    return centres, np.bincount(nearest, minlength=count) / len(values)


RUNTIME = ConstantVelocity
