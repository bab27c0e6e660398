"""The running loss of an epoch, without waiting for the device at every step."""

from __future__ import annotations

import math

import torch

from servery.errors import TrainingError


class RunningLoss:
    """Sum of the losses of an epoch, weighted by rows.

    Losses stay tensors until `settle`, which adds them one by one in the order of the steps: the sum does not
    depend on how often it was asked for, so a resumed run writes the same history.
    """

    def __init__(self, loss_sum: float = 0.0, rows: int = 0) -> None:
        self.loss_sum = loss_sum
        self.rows = rows
        self._waiting: list[tuple[torch.Tensor, int, int, float]] = []

    @property
    def mean(self) -> float:
        """Mean loss a row over the settled steps; NaN before the first."""
        return self.loss_sum / self.rows if self.rows else math.nan

    def add(self, loss: torch.Tensor, rows: int, step: int, learning_rate: float) -> None:
        """Note the loss of one step."""
        self._waiting.append((loss.detach(), rows, step, learning_rate))

    def settle(self) -> None:
        """Take in the steps noted since the last time.

        Raises:
            TrainingError: A loss is NaN or infinite; names its step and learning rate.
        """
        if not self._waiting:
            return
        values = torch.stack([loss for loss, *_ in self._waiting]).tolist()
        for value, (_, rows, step, learning_rate) in zip(values, self._waiting, strict=True):
            if not math.isfinite(value):
                raise TrainingError(
                    f"The loss became {value} at step {step}, at learning rate {learning_rate:.3g}.",
                    hint="Try a smaller learning_rate or a gradient_clip, or look for extreme values.",
                )
            self.loss_sum += value * rows
            self.rows += rows
        self._waiting.clear()
