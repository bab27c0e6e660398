"""Boosted trees that forecast: a group of boosters for some steps, and what lies between them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from servery.errors import ArtifactError
from servery.models.encoder import Batch
from servery.models.runtime import Runtime
from servery.models.runtimes.lightgbm import LightGbm

MOST_COMPRESSED = 60.0


class StepTrees(Runtime):
    """Changes from the last reading at some steps, on straight lines between them.

    Changes are learned of `compressed` readings: of large ones what they are multiplied by, of small ones what is
    added.

    Args:
        trees: Groups of boosters: for each of `steps` the change, then for each the logarithm of how unsure it is.
        steps: Steps ahead that have boosters, ascending; the last is the horizon.
        scale: What is small.
    """

    name = "step_trees"

    def __init__(self, trees: LightGbm, steps: Sequence[int], scale: float) -> None:
        self.trees, self.steps, self.scale = trees, tuple(steps), scale

    def run(self, batch: Batch) -> np.ndarray:
        """Return (rows, horizon, 2): each reading, and how unsure the model is of it."""
        x = batch["x"]
        scores = self.trees.run(batch)  # (rows, 2 * steps)
        changes, spreads = scores[:, : len(self.steps)], np.exp(scores[:, len(self.steps) :])
        between = _between(self.steps)  # (steps, horizon)
        # The first feature is the last reading.
        values = stretched(compressed(x[:, :1], self.scale) + changes @ between, self.scale)
        return np.stack([values, spreads @ between], axis=2).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write one text file a booster."""
        self.trees.save(folder)

    def options(self) -> dict[str, Any]:
        """Return the steps, and how many boosters each group has."""
        return {**self.trees.options(), "steps": list(self.steps), "scale": self.scale}

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> StepTrees:
        """Read the boosters.

        Raises:
            ArtifactError: A file is missing or torn, or the options are not ours.
        """
        try:
            steps = [int(step) for step in options["steps"]]
            scale = float(options["scale"])
            if (
                not scale > 0
                or steps != sorted(set(steps))
                or len(options["groups"]) != 2 * len(steps)
                or steps[0] < 1
            ):
                raise ValueError(f"steps {steps}")
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ArtifactError(f"The steps in {folder.name} cannot be read: {error!r}.") from error
        return cls(LightGbm.load(folder, options, threads), steps, scale)


def compressed(readings: np.ndarray, scale: float) -> np.ndarray:
    """Return readings on a scale that is even near 0 and logarithmic far from it, on either side.

    Source: Burbidge, Magee and Robb (1988), Alternative transformations to handle extreme values, section 2.

    >>> readings = np.array([-500.0, 0.0, 20.0])
    >>> stretched(compressed(readings, 10.0), 10.0).round(6).tolist()
    [-500.0, 0.0, 20.0]
    """
    return np.asarray(np.arcsinh(readings / scale))


def stretched(values: np.ndarray, scale: float) -> np.ndarray:
    """Return the readings of compressed ones; no farther from 0 than a float32 reaches."""
    return np.asarray(scale * np.sinh(np.clip(values, -MOST_COMPRESSED, MOST_COMPRESSED)))


def _between(steps: Sequence[int]) -> np.ndarray:
    """Return the share of each known step in every step, (steps, horizon).

    >>> _between((1, 3)).tolist()
    [[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]]
    """
    every = np.arange(1, steps[-1] + 1)
    return np.stack([np.interp(every, steps, row) for row in np.eye(len(steps))])


RUNTIME = StepTrees
