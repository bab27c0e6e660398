"""The table MLP, with a vector for each category."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.models.encoder import Encoder
from servery.models.encoders.rows import Rows
from servery.models.families._assembly import TABLE_KINDS, columns_for
from servery.models.families._examples import EncodedExamples
from servery.models.families._measures import label_count_of
from servery.models.families._network import TRAINING, NetworkRecipe, NetworkSize
from servery.models.recipe import Work


class TableMlp(NetworkRecipe):
    """Scaled numbers beside category vectors, then hidden layers."""

    name = "mlp"
    title = "MLP with entity embeddings"
    summary = (
        "Numbers brought to a normal distribution, a learned vector for each category, hidden layers "
        "(Guo and Berkhahn 2016, section 3)."
    )
    form = "table"
    network = "table_mlp"
    least_epochs = 10
    largest_batch = 256
    defaults = {
        **TRAINING,
        "learning_rate": 2e-3,
        "average_decay": 0.99,
        "transform": "quantile",
        "largest_embedding": 8,
        "hidden_sizes": [128, 128],
        "dropout": 0.3,
    }
    search_space = {
        "learning_rate": (5e-4, 1e-3, 2e-3),
        "hidden_sizes": ([128], [128, 128], [256, 256]),
        "dropout": (0.1, 0.3, 0.5),
    }

    def columns(self, dataset: Dataset) -> tuple[Column, ...]:
        """Return numbers, times and categories."""
        return columns_for(dataset, TABLE_KINDS)

    def fit_encoder(
        self, work: Work, columns: tuple[Column, ...], examples: Sequence[Mapping[str, Any]]
    ) -> Rows:
        """Learn scales and categories."""
        transform = work.hyperparameters["transform"]
        return Rows.fit(examples, columns, layout="indices", transform=transform)

    def examples(
        self,
        work: Work,
        encoder: Encoder,
        rows: Sequence[Mapping[str, Any]],
        targets: np.ndarray,
        is_training: bool,
    ) -> EncodedExamples:
        """Encode the rows."""
        return EncodedExamples(encoder.encode(rows), targets)

    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Return the sizes found in the data and the hidden layers."""
        assert isinstance(encoder, Rows)
        return {
            "numbers": encoder.scales.width,
            "category_counts": encoder.category_counts,
            "largest_embedding": work.hyperparameters["largest_embedding"],
            "hidden_sizes": list(work.hyperparameters["hidden_sizes"]),
            "labels": labels,
            "dropout": work.hyperparameters["dropout"],
        }

    def size(self, dataset: Dataset, hyperparameters: Mapping[str, Any]) -> NetworkSize:
        """Count the layers."""
        categories = sum(column.kind is Kind.CATEGORY for column in dataset.inputs)
        inputs = len(dataset.inputs) + categories * hyperparameters["largest_embedding"] / 2
        sizes = [inputs, *hyperparameters["hidden_sizes"], label_count_of(dataset)]
        weights = float(sum(a * b for a, b in pairwise(sizes)))
        return NetworkSize(weights, weights, 8 * inputs, f"{len(dataset.inputs)} columns")


TABLE_MLP = TableMlp()
