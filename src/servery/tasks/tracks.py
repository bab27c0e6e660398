"""Tracks as a forecaster puts them out, and what they are worth beside those that agents took."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from servery.metrics.intervals import PROMISED, margin_at
from servery.metrics.trajectories import MISSED_METRES, touching, track_errors
from servery.tasks.task import Calibration

_SUMS = ("agents", "ade", "fde", "least_ade", "least_fde", "missed", "steady_ade", "held", "radius")
"""What is summed over the agents of a row that are followed to the end; then come those that are there now."""


@dataclass(frozen=True)
class TrackJudgement:
    """Sums of each row, to be weighed by any choice of rows.

    Attributes:
        sums: `_SUMS`, agents there now, those of them on a predicted collision, float64, (rows, 11).
        has_radii: Whether the model promises radii.
    """

    sums: np.ndarray
    has_radii: bool

    @classmethod
    def of(cls, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> TrackJudgement:
        """Sum the errors of every row; targets and outputs are those of the task."""
        sums = [_sums(target, row, calibration) for target, row in zip(targets, outputs, strict=True)]
        return cls(np.array(sums), bool(calibration.margins))

    def measure(self, rows: np.ndarray) -> dict[str, float]:
        """Return every metric on these rows."""
        total = self.sums[rows].sum(axis=0)
        followed, here = max(total[0], 1.0), max(total[9], 1.0)
        ade, fde, least_ade, least_fde, missed, steady, held, radius = (total[1:9] / followed).tolist()
        radii = {"track_coverage_90": held, "final_radius_90": radius} if self.has_radii else {}
        return {
            "skill": 1.0 - ade / max(steady, 1e-9),
            "ade": ade,
            "fde": fde,
            "ade_best_of_20": least_ade,
            "fde_best_of_20": least_fde,
            "miss_rate": missed,
            "collision_rate": float(total[10] / here),
            **radii,
        }

    def primary(self, rows: np.ndarray) -> float:
        """Return the skill on these rows."""
        total = self.sums[rows].sum(axis=0)
        return float(1.0 - total[1] / max(total[6], 1e-9))


def guesses_of(row: np.ndarray) -> np.ndarray:
    """Return the tracks of each agent, the best guess, then the modes from the likeliest on.

    Args:
        row: One row of the task's outputs, (agents, 1 + modes, 1 + 2 * steps).

    Returns:
        Metres from where the agent is now, float64, (agents, 1 + modes, steps, 2).
    """
    order = np.argsort(-row[:, 1:, 0], axis=1, kind="stable")
    modes = np.take_along_axis(row[:, 1:], order[:, :, None], axis=1)
    lines = np.concatenate([row[:, :1], modes], axis=1)[:, :, 1:].astype(np.float64)
    return lines.reshape(*lines.shape[:2], -1, 2)


def followed(target: np.ndarray) -> np.ndarray:
    """Return which agents are followed to the end, bool, (agents,)."""
    return np.asarray(np.isfinite(target).all(axis=(1, 2)))


def _sums(target: np.ndarray, row: np.ndarray, calibration: Calibration) -> np.ndarray:
    sums = np.zeros(len(_SUMS) + 2)
    guesses, here = guesses_of(row[: len(target)]), np.isfinite(target[:, 0, 0])
    sums[9] = here.sum()
    sums[10] = touching(target[here, :1] + guesses[here, 0]).sum() if sums[9] > 1 else 0.0
    judged = followed(target)
    if judged.any():
        errors = track_errors(target[judged, 2:], guesses[judged], target[judged, 1])
        steps = np.arange(1, errors.steps.shape[1] + 1)
        margin = margin_at(calibration.margins, PROMISED) if calibration.margins else 0.0
        held = (errors.steps <= margin * steps).all(axis=1)
        final = errors.steps[:, -1]
        means = (errors.steps.mean(axis=1), final, errors.least_mean, errors.least_final)
        columns = (np.ones(len(final)), *means, final > MISSED_METRES, errors.steady.mean(axis=1), held)
        sums[:8] = [column.sum() for column in columns]
        sums[8] = margin * steps[-1] * len(final)
    return sums


def farthest(target: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Return each followed agent's largest distance from its best guess, metres a step ahead, (agents,)."""
    judged = followed(target)
    if not judged.any():
        return np.zeros(0)
    guesses = guesses_of(row[: len(target)])[judged]
    steps = track_errors(target[judged, 2:], guesses[:, :1], target[judged, 1]).steps
    return np.asarray((steps / np.arange(1, steps.shape[1] + 1)).max(axis=1))
