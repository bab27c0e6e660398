"""Matrix factorization of implicit feedback by alternating least squares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from servery.data.dataset import Dataset
from servery.models.families._recommendation import EventLog, RecommenderRecipe
from servery.models.item_scorers import folded_in
from servery.models.recipe import Cost, Work


class MatrixFactorization(RecommenderRecipe):
    """Factors of users and items whose products say who takes what."""

    name = "matrix-factorization"
    title = "Matrix factorization, ALS"
    summary = (
        "Factors of users and items, found in turns by least squares over all pairs, those taken weighing more (Hu, "
        "Koren and Volinsky 2008, section 4); bpr is its sister that ranks pairs."
    )
    model = "factors"
    defaults = {
        "size": 64,
        "confidence": 10.0,
        "penalty": 10.0,
        "rounds": 8,
        "repeat_weight": 0.3,
        "half_life_days": 240.0,
    }
    search_space = {
        "size": (32, 64, 128),
        "confidence": (3.0, 10.0, 30.0),
        "penalty": (1.0, 10.0, 50.0),
        "repeat_weight": (0.0, 0.3, 0.6),
    }

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the events, the rows and the size of the factors."""
        plain = super().cost(dataset, hyperparameters, threads)
        size, rounds = hyperparameters["size"], 2 * hyperparameters["rounds"]
        seconds = plain.seconds + 2 * rounds * len(dataset) * (1e-4 + 2e-10 * size**3)
        return Cost(seconds, plain.memory_bytes + 16 * size * len(dataset), plain.reason)

    def learn(self, log: EventLog, settings: Mapping[str, Any], work: Work) -> dict[str, np.ndarray]:
        """Solve for the users, then for the items, and so on."""
        counted = log.counted()
        by_user, by_item = counted.tocsr(), counted.T.tocsr()
        chance = np.random.default_rng(work.seed)
        items = chance.normal(0.0, 0.1, (len(log.items), settings["size"])).astype(np.float32)
        for _ in range(settings["rounds"]):
            users = _solved(by_user, items, settings)
            items = _solved(by_item, users, settings)
        return {"factors": items, "gram": items.T @ items}


def _solved(counted: Any, factors: np.ndarray, settings: Mapping[str, Any]) -> np.ndarray:
    """Return the factors of each row, given those of the columns, float32, (rows, size)."""
    gram = factors.T @ factors
    found = np.zeros((counted.shape[0], factors.shape[1]), np.float32)
    for row in range(counted.shape[0]):
        span = slice(counted.indptr[row], counted.indptr[row + 1])
        found[row] = folded_in(factors[counted.indices[span]], counted.data[span], gram, settings)
    return found


MATRIX_FACTORIZATION = MatrixFactorization()
