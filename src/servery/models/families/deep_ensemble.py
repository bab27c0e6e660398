"""Regression on tables by several networks at once, which together know where they know little."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from servery.data.dataset import Dataset
from servery.models.encoder import Encoder
from servery.models.families._examples import EncodedExamples
from servery.models.families._network import NetworkSize
from servery.models.families._number_objective import NumberObjective
from servery.models.families.table_mlp import TableMlp
from servery.models.families.table_regression_mlp import TableRegressionMlp
from servery.models.recipe import Objective, Work
from servery.nn.network import Network

BETA = 0.5
"""Power of the variance that a row's loss is weighed by; Seitzer et al. (2022), section 4, found it the best."""


class DeepEnsemble(TableRegressionMlp):
    """Each member learns mean and variance from its own first weights; the answer is their mixture."""

    name = "deep-ensemble"
    title = "Deep ensemble"
    summary = (
        "Several small networks that each learn a mean and a variance (Lakshminarayanan et al. 2017, section 2; loss "
        "of Seitzer et al. 2022, equation 5); where they differ, the answer is less sure."
    )
    tasks = frozenset({"regression"})
    network = "deep_ensemble"
    least_steps = 8_000
    most_epochs = 400
    defaults = {**TableMlp.defaults, "dropout": 0.0, "hidden_sizes": [64, 64], "members": 5}
    search_space = {"members": (3, 5, 10), "hidden_sizes": ([64, 64], [128, 128])}

    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Return those of one member, and how many there are."""
        one = super().arguments(work, encoder, examples, labels)
        del one["labels"]
        return {**one, "members": work.hyperparameters["members"]}

    def objective(
        self,
        work: Work,
        targets: np.ndarray,
        validation: EncodedExamples,
        labels: int,
        hyperparameters: Mapping[str, Any],
    ) -> Objective:
        """Maximise the likelihood that each member gives to the rows."""
        return LikelihoodObjective(work.task, targets, validation)

    def size(self, dataset: Dataset, hyperparameters: Mapping[str, Any]) -> NetworkSize:
        """Count the layers of all members."""
        one, members = super().size(dataset, hyperparameters), hyperparameters["members"]
        return replace(
            one,
            multiplications=members * one.multiplications,
            weights=members * one.weights,
            reason=f"{one.reason}, {members} members",
        )


class LikelihoodObjective(NumberObjective):
    """Negative log likelihood of a normal distribution for each member, unsure rows not let off too easily."""

    def loss(self, network: Network, inputs: dict[str, Tensor], targets: Tensor) -> Tensor:
        """Return the loss of a batch, summed over the members so that each learns as if it were alone.

        Source: Seitzer et al. (2022), On the pitfalls of heteroscedastic uncertainty estimation with probabilistic
        neural networks, equation 5.
        """
        said = network(**inputs).float()  # (rows, members, 2)
        scale = self.variance**0.5
        errors, deviations = (said[..., 0] - targets.float()[:, None]) / scale, said[..., 1] / scale
        losses = 0.5 * (errors / deviations) ** 2 + deviations.log()
        weighed: Tensor = (losses * deviations.detach() ** (2 * BETA)).mean(dim=0).sum()
        return weighed


DEEP_ENSEMBLE = DeepEnsemble()
