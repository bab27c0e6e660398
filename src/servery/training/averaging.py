"""The average of the weights over the last steps, which often scores better than the last weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn


class Average:
    """An exponential moving average of a network's weights and of its floating-point buffers.

    Early on the average follows quickly, or the random first weights would stay in it for 1 / (1 - decay)
    steps.

    Source: Polyak, Juditsky (1992), Acceleration of Stochastic Approximation by Averaging; the growing decay
    min(decay, (1 + t) / (10 + t)) is that of TensorFlow's `ExponentialMovingAverage`.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self._weights = {k: v for k, v in network.state_dict().items() if v.is_floating_point()}
        self.tensors = {name: value.clone() for name, value in self._weights.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights after step number `step`, from 1."""
        decay = min(self.decay, (1.0 + step) / (10.0 + step))
        for mean, weight in zip(self.tensors.values(), self._weights.values(), strict=True):
            mean.lerp_(weight, 1.0 - decay)

    @torch.no_grad()
    def restore(self, tensors: dict[str, torch.Tensor]) -> None:
        """Put back an average that was saved."""
        for name, value in self.tensors.items():
            value.copy_(tensors[name])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Let the network compute with the average inside the block, with its own weights after it."""
        own = {name: value.clone() for name, value in self._weights.items()}
        self._put(self.tensors)
        try:
            yield
        finally:
            self._put(own)

    @torch.no_grad()
    def _put(self, tensors: dict[str, torch.Tensor]) -> None:
        for name, value in self._weights.items():
            value.copy_(tensors[name])
