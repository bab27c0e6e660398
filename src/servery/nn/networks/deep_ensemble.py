"""Several table MLPs that each say how sure they are; where they differ, their mixture is less sure than any."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.network import Network
from servery.nn.networks.table_mlp import TableMlp

LEAST_VARIANCE = 1e-6
"""Of a member, in variances of the targets; what keeps the likelihood of rows learned by heart finite."""


class DeepEnsemble(Network):
    """Members with weights of their own, each with the mean and the variance of a normal distribution.

    Source: Lakshminarayanan, Pritzel and Blundell (2017), Simple and scalable predictive uncertainty estimation using
    deep ensembles, sections 2.2 and 2.4.

    Args:
        members: How many.
        numbers: Number of number columns in the batch.
        category_counts: Of each category column: its categories, unseen included.
        largest_embedding: Length of the longest category vector.
        hidden_sizes: Widths of the hidden layers of a member.
        dropout: Share of hidden numbers left out in training.
        output_scale: Standard deviation of the numbers to be learned.
        output_mean: Their mean.
    """

    name = "deep_ensemble"
    axes = TableMlp.axes

    def __init__(
        self,
        members: int,
        numbers: int,
        category_counts: Sequence[int],
        largest_embedding: int,
        hidden_sizes: Sequence[int],
        dropout: float,
        output_scale: float,
        output_mean: float,
    ) -> None:
        super().__init__()
        self.output_scale, self.output_mean = output_scale, output_mean
        self.members = nn.ModuleList(
            TableMlp(numbers, category_counts, largest_embedding, hidden_sizes, 2, dropout)
            for _ in range(members)
        )

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:  # type: ignore[override]
        """Return mean and deviation of the mixture, (rows, 2); in training those of each member.

        Args:
            numbers: float32, (rows, number columns).
            categories: int64, (rows, category columns).
        """
        said = torch.stack(
            [member(numbers, categories) for member in self.members], dim=1
        )  # (rows, members, 2)
        means, variances = said[..., 0], functional.softplus(said[..., 1]) + LEAST_VARIANCE
        if self.training:
            return self._in_units(means, variances)  # (rows, members, 2)
        mean = means.mean(dim=1)
        return self._in_units(mean, variances.mean(dim=1) + means.var(dim=1, unbiased=False))

    def _in_units(self, mean: Tensor, variance: Tensor) -> Tensor:
        value = mean * self.output_scale + self.output_mean
        return torch.stack([value, variance.sqrt() * self.output_scale], dim=-1)
