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
    ) -> None:
        super().__init__()
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
        if self.embeddings is None:
            return self.layers(numbers)  # type: ignore[no-any-return]
        return self.layers(torch.cat([numbers, self.embeddings(categories)], dim=1))  # type: ignore[no-any-return]
