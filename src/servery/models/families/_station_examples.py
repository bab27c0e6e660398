"""Training examples of a graph: the rows of a moment together, each moment some steps earlier at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from servery.models.encoder import Batch
from servery.models.encoders.windows import HOURS_PER_DAY, HOURS_PER_WEEK
from servery.models.families._examples import EncodedExamples


@dataclass(frozen=True)
class Shifts:
    """What it takes to look at a row some steps earlier.

    Attributes:
        most: Steps earlier at most; 0 for never.
        step_hours: From one reading to the next.
        recent: The last `most` readings of the series that is forecast, in its unit, float64, (rows, most): they are
            what was to be forecast then.
        levels: The last known reading so many steps earlier, float32, (rows, most + 1).
        times: Number of the time columns, whose marks come first in the context.
    """

    most: int
    step_hours: float
    recent: np.ndarray
    levels: np.ndarray
    times: int


class StationExamples(EncodedExamples):
    """Rows that share what all stations saw.

    Args:
        arrays: Of the rows: `series`, `context`, `level`, `own`.
        stations: Of each moment, (moments, stations, past, 2).
        moments: Of each row its moment, int64, (rows,).
        targets: float64, (rows, steps).
        shifts: How rows are looked at earlier; None for as they are.
    """

    def __init__(
        self,
        arrays: Batch,
        stations: np.ndarray,
        moments: np.ndarray,
        targets: np.ndarray,
        shifts: Shifts | None,
    ) -> None:
        super().__init__(arrays, targets)
        self.stations, self.moments, self.shifts = torch.from_numpy(stations), moments, shifts

    def order(self, seed: int, epoch: int, batch_size: int) -> list[np.ndarray]:
        """Return the rows of every batch of one epoch: whole moments, shuffled."""
        shuffled = np.random.default_rng([seed, epoch]).permutation(len(self.stations))
        rank = np.empty_like(shuffled)
        rank[shuffled] = np.arange(len(shuffled))
        rows = np.argsort(rank[self.moments], kind="stable")
        per_moment = max(len(rows) / max(len(self.stations), 1), 1.0)
        moments = max(round(batch_size / per_moment), 1)
        ends = np.searchsorted(rank[self.moments][rows], np.arange(moments, len(self.stations), moments))
        return [batch for batch in np.split(rows, ends) if len(batch)]

    def inputs(self, rows: np.ndarray) -> dict[str, Tensor]:
        """Return the arrays of these rows, each moment once, and which one is whose."""
        moments, places = np.unique(self.moments[rows], return_inverse=True)
        inputs = super().inputs(rows)
        return {
            **inputs,
            "stations": self.stations[torch.from_numpy(moments)],
            "moment": torch.from_numpy(places.astype(np.int64)),
        }

    def batch(self, rows: np.ndarray, seed: int, epoch: int, step: int) -> tuple[dict[str, Tensor], Tensor]:
        """Return (inputs, targets) of these rows, the whole batch some steps earlier."""
        inputs, targets = self.inputs(rows), self.targets[torch.from_numpy(rows)]
        if self.shifts is None or not self.shifts.most:
            return inputs, targets
        by = int(np.random.default_rng([seed, epoch, step]).integers(self.shifts.most + 1))
        return self._earlier(inputs, targets, rows, by) if by else (inputs, targets)

    def _earlier(
        self, inputs: dict[str, Tensor], targets: Tensor, rows: np.ndarray, by: int
    ) -> tuple[dict[str, Tensor], Tensor]:
        shifts = self.shifts
        assert shifts is not None
        came = torch.from_numpy(shifts.recent[rows][:, shifts.most - by :])
        turned = _turned_back(inputs["context"], shifts.times, by * shifts.step_hours)
        shifted = {
            "series": _shifted(inputs["series"], 1, by),
            "stations": _shifted(inputs["stations"], 2, by),
            "context": turned,
            "level": torch.from_numpy(shifts.levels[rows][:, [by]]),
        }
        return {**inputs, **shifted}, torch.cat([came, targets[:, :-by]], dim=1)


def _shifted(series: Tensor, axis: int, by: int) -> Tensor:
    """Return readings without the last ones; those that are missing before the first ones are marked."""
    length, width = series.shape[axis], series.shape[-1]
    gone = torch.zeros_like(series.narrow(axis, 0, by))
    gone[..., width // 2 :] = 1.0
    return torch.cat([gone, series.narrow(axis, 0, length - by)], dim=axis)


def _turned_back(context: Tensor, times: int, hours: float) -> Tensor:
    """Return the context with its places in day and week so many hours earlier; a missing time stays missing."""
    turned = context.clone()
    for first in range(0, 4 * times, 4):
        for place, length in ((first, HOURS_PER_DAY), (first + 2, HOURS_PER_WEEK)):
            angle = 2 * np.pi * hours / length
            sine, cosine = context[:, place], context[:, place + 1]
            turned[:, place] = sine * np.cos(angle) - cosine * np.sin(angle)
            turned[:, place + 1] = cosine * np.cos(angle) + sine * np.sin(angle)
    return turned
