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


class StepTrees(Runtime):
    """Changes from the last reading at some steps, on straight lines between them.

    Args:
        trees: Groups of boosters: for each of `steps` the change, then for each the logarithm of how unsure it is.
        steps: Steps ahead that have boosters, ascending; the last is the horizon.
    """

    name = "step_trees"

    def __init__(self, trees: LightGbm, steps: Sequence[int]) -> None:
        self.trees, self.steps = trees, tuple(steps)

    def run(self, batch: Batch) -> np.ndarray:
        """Return (rows, horizon, 2): each reading, and how unsure the model is of it."""
        x = batch["x"]
        scores = self.trees.run(batch)  # (rows, 2 * steps)
        changes, spreads = scores[:, : len(self.steps)], np.exp(scores[:, len(self.steps) :])
        between = _between(self.steps)  # (steps, horizon)
        # The first feature is the last reading; a change of nothing stands before the first step.
        values = x[:, :1] + changes @ between
        return np.stack([values, spreads @ between], axis=2).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write one text file a booster."""
        self.trees.save(folder)

    def options(self) -> dict[str, Any]:
        """Return the steps, and how many boosters each group has."""
        return {**self.trees.options(), "steps": list(self.steps)}

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> StepTrees:
        """Read the boosters.

        Raises:
            ArtifactError: A file is missing or torn, or the options are not ours.
        """
        try:
            steps = [int(step) for step in options["steps"]]
            if steps != sorted(set(steps)) or len(options["groups"]) != 2 * len(steps) or steps[0] < 1:
                raise ValueError(f"steps {steps}")
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ArtifactError(f"The steps in {folder.name} cannot be read: {error!r}.") from error
        return cls(LightGbm.load(folder, options, threads), steps)


def _between(steps: Sequence[int]) -> np.ndarray:
    """Return the share of each known step in every step, (steps, horizon).

    >>> _between((1, 3)).tolist()
    [[1.0, 0.5, 0.0], [0.0, 0.5, 1.0]]
    """
    every = np.arange(1, steps[-1] + 1)
    return np.stack([np.interp(every, steps, row) for row in np.eye(len(steps))])


RUNTIME = StepTrees
