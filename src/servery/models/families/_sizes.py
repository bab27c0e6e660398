"""How a training is cut into steps where the plan leaves that open."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

PATIENCE_SHARE = 3
"""Of the epochs: after so many without a better one a training stops."""


@dataclass(frozen=True)
class Sizing:
    """What batch size, epochs and patience are chosen by.

    Attributes:
        rows_per_batch_row: Rows of an epoch for each row of a batch.
        smallest_batch: Rows of a batch, at least.
        largest_batch: At most.
        least_steps: Steps that a training takes, as far as the epochs allow.
        least_epochs: Of a training.
        most_epochs: Of a training.
        least_patience: Epochs without a better one that are always waited for.
    """

    rows_per_batch_row: int
    smallest_batch: int
    largest_batch: int
    least_steps: int
    least_epochs: int
    most_epochs: float = float("inf")
    least_patience: int = 2

    def chosen(self, rows: int, hyperparameters: Mapping[str, Any]) -> dict[str, int]:
        """Return batch size, epochs and patience, chosen from the rows of an epoch where they are 0."""
        nearest = 2 ** round(np.log2(max(rows / self.rows_per_batch_row, 1)))
        fitting = int(np.clip(nearest, self.smallest_batch, self.largest_batch))
        batch_size = int(hyperparameters["batch_size"]) or fitting
        steps = max(rows / batch_size, 1)
        enough = int(np.clip(np.ceil(self.least_steps / steps), self.least_epochs, self.most_epochs))
        epochs = int(hyperparameters["epochs"]) or enough
        patience = int(hyperparameters["patience"]) or max(self.least_patience, epochs // PATIENCE_SHARE)
        return {"batch_size": batch_size, "epochs": epochs, "patience": patience}
