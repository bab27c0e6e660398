"""Training scenes with where their agents went, changed at random."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from servery.models.families._examples import EncodedExamples, TokenExamples
from servery.tasks.tracks import followed

LEAST_LEFT = 3
"""Steps that stay of a past that is cut short."""


class TrackExamples(TokenExamples):
    """Encoded scenes; batches are made of scenes with about as many agents.

    Args:
        arrays: `positions` and `seen` of the encoder `scenes`.
        targets: Of the task: objects, (rows,), each (agents, 2 + steps, 2).
        shaking: Share by which training tracks are stretched either way, and of agents whose past is cut short; such
            scenes are also mirrored, every second one. 0 leaves them as they are.
    """

    def __init__(self, arrays: dict[str, np.ndarray], targets: np.ndarray, shaking: float = 0.0) -> None:
        EncodedExamples.__init__(self, arrays, np.arange(len(targets)))
        self.tracks, self.shaking = targets, shaking
        self.sorted_by = np.array([len(target) for target in targets])
        agents, steps = arrays["seen"].shape[1], targets[0].shape[1] - 2
        self.futures = torch.zeros(len(targets), agents, steps, 2)
        self.followed = torch.zeros(len(targets), agents)
        for row, target in enumerate(targets):
            is_judged = followed(target)
            self.followed[row, : len(target)] = torch.from_numpy(is_judged.astype(np.float32))
            self.futures[row, : len(target)] = torch.from_numpy(np.nan_to_num(target[:, 2:])).float()

    def inputs(self, rows: np.ndarray) -> dict[str, Tensor]:
        """Return the arrays of these rows, as wide as the fullest scene among them."""
        agents = max(1, int(self.sorted_by[rows].max(initial=1)))
        chosen = torch.from_numpy(rows)
        return {name: array[chosen, :agents] for name, array in self.arrays.items()}

    def batch(  # type: ignore[override]
        self, rows: np.ndarray, seed: int, epoch: int, step: int
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Return scenes and futures; all chance follows from the arguments."""
        inputs = self.inputs(rows)
        chosen, agents = torch.from_numpy(rows), inputs["seen"].shape[1]
        futures, judged = self.futures[chosen, :agents], self.followed[chosen, :agents]
        if self.shaking:
            chance = np.random.default_rng([seed, epoch, step])
            stretch = np.exp(chance.uniform(-self.shaking, self.shaking, (len(rows), 1)))
            mirror = np.where(chance.random((len(rows), 1)) < 0.5, -1.0, 1.0)
            factors = torch.from_numpy(np.concatenate([stretch, stretch * mirror], axis=1)).float()
            factors = factors[:, None, None]  # (rows, 1, 1, 2)
            seen = self._shortened(inputs["seen"], chance)
            inputs = {"positions": inputs["positions"] * factors * seen.unsqueeze(3), "seen": seen}
            futures = futures * factors
        return inputs, {"futures": futures, "judged": judged}

    def _shortened(self, seen: Tensor, chance: np.random.Generator) -> Tensor:
        steps = seen.shape[2]
        if steps <= LEAST_LEFT:
            return seen
        shape = seen.shape[:2]
        first = np.where(
            chance.random(shape) < self.shaking, chance.integers(0, steps - LEAST_LEFT + 1, shape), 0
        )
        kept = np.arange(steps) >= first[:, :, None]
        return seen * torch.from_numpy(kept.astype(np.float32))
