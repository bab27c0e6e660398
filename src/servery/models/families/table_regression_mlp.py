"""The table MLP that learns a number instead of labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from servery.models.encoder import Encoder
from servery.models.families._examples import EncodedExamples
from servery.models.families._number_objective import NumberObjective
from servery.models.families.table_mlp import TableMlp
from servery.models.recipe import Objective, Work


class TableRegressionMlp(TableMlp):
    """Scaled numbers beside category vectors, hidden layers, one number."""

    tasks = frozenset({"regression"})
    defaults = {**TableMlp.defaults, "dropout": 0.1}

    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Add where the targets lie, so that the layers learn numbers around 0."""
        targets = examples.targets.numpy()
        scale = float(targets.std()) or 1.0
        one = super().arguments(work, encoder, examples, 1)
        return {**one, "output_scale": scale, "output_mean": float(targets.mean())}

    def objective(
        self,
        work: Work,
        targets: np.ndarray,
        validation: EncodedExamples,
        labels: int,
        hyperparameters: Mapping[str, Any],
    ) -> Objective:
        """Minimise the squared error."""
        return NumberObjective(work.task, targets, validation)


TABLE_REGRESSION_MLP = TableRegressionMlp()
