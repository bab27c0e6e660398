"""The table MLP: numbers beside the vectors of the categories, then hidden layers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from servery.nn.embedding import CategoryEmbeddings
from servery.nn.network import Network


class TableMlp(Network):
    """Entity embeddings and hidden layers.

    Source: Guo and Berkhahn (2016), Entity embeddings of categorical variables, section 3.

    Args:
        numbers: Number of number columns in the batch.
        category_counts: Of each category column: its categories, unseen included.
        largest_embedding: Length of the longest category vector.
        hidden_sizes: Widths of the hidden layers.
        labels: Number of labels.
        dropout: Share of hidden numbers left out in training.
        output_scale: What the outputs are multiplied by; the standard deviation of the numbers to be learned.
        output_mean: What is added then; their mean.
    """

    name = "table_mlp"
    axes = {"numbers": ("rows",), "categories": ("rows",)}

    def __init__(
        self,
        numbers: int,
        category_counts: Sequence[int],
        largest_embedding: int,
        hidden_sizes: Sequence[int],
        labels: int,
        dropout: float,
        output_scale: float = 1.0,
        output_mean: float = 0.0,
    ) -> None:
        super().__init__()
        self.output_scale, self.output_mean = output_scale, output_mean
        self.embeddings = CategoryEmbeddings(category_counts, largest_embedding) if category_counts else None
        layers: list[nn.Module] = []
        size = numbers + (self.embeddings.size if self.embeddings else 0)
        for hidden_size in hidden_sizes:
            layers += [nn.Linear(size, hidden_size), nn.SiLU(), nn.Dropout(dropout)]
            size = hidden_size
        self.layers = nn.Sequential(*layers, nn.Linear(size, labels))

    def forward(self, numbers: Tensor, categories: Tensor) -> Tensor:  # type: ignore[override]
        """Return the logits, (rows, labels).

        Args:
            numbers: float32, (rows, number columns).
            categories: int64, (rows, category columns).
        """
        known = numbers
        if self.embeddings is not None:
            known = torch.cat([numbers, self.embeddings(categories)], dim=1)
        outputs: Tensor = self.layers(known)
        if self.output_scale == 1.0 and self.output_mean == 0.0:
            return outputs
        return outputs * self.output_scale + self.output_mean
