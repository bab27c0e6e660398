"""Linear regression on tables: standardised numbers whose slope may change, one weight a category."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from servery.data.dataset import Dataset
from servery.models.encoders.rows import Rows
from servery.models.families._assembly import TABLE_KINDS, assemble, columns_for, say_left_out
from servery.models.recipe import Cost, Made, Recipe, Work
from servery.models.runtimes.linear import Linear

PENALTIES = tuple(float(penalty) for penalty in np.logspace(-3, 4, 15))
SECONDS_PER_CELL = 1.5e-6
SECONDS_PER_PRODUCT = 1e-9


class LinearRegression(Recipe):
    """One weight a number and category, shrunk as far as leaving rows out says."""

    name = "linear"
    title = "Linear regression"
    summary = (
        "Ridge regression on one-hot categories and numbers whose slope may change, its penalty chosen by leaving one "
        "row out (Hastie, Tibshirani, Friedman 2009, The Elements of Statistical Learning, sections 3.4.1 and 7.10)."
    )
    form = "table"
    tasks = frozenset({"regression"})
    defaults = {"transform": "piecewise"}
    search_space = {"transform": ("standard", "quantile", "piecewise")}
    can_stop_early = False

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the cells and their products."""
        rows, columns = len(dataset), len(dataset.inputs)
        seconds = 0.5 + rows * columns * SECONDS_PER_CELL + rows * (4 * columns) ** 2 * SECONDS_PER_PRODUCT
        return Cost(seconds, int(150 * 2**20 + 80 * rows * columns), f"{rows:,} rows of {columns} columns")

    def make(self, work: Work) -> Made:
        """Learn scales and categories, then the weights."""
        # Imported here because it takes half a second that the other recipes need not wait for.
        from sklearn.linear_model import RidgeCV

        columns = columns_for(work.train, TABLE_KINDS)
        say_left_out(work, columns)
        examples = list(work.train.examples())
        encoder = Rows.fit(examples, columns, layout="one-hot", transform=work.hyperparameters["transform"])
        x = encoder.encode(examples)["x"].astype(np.float64)  # (rows, features)
        learned = RidgeCV(alphas=PENALTIES).fit(x, work.task.encode_targets(work.train, ()))
        weight = np.asarray(learned.coef_, np.float32)[:, None]  # (features, 1)
        runtime = Linear(weight, np.array([learned.intercept_], np.float32))
        predictor = assemble(work, self.name, columns, (), encoder, runtime, "one product in numpy")
        return Made(predictor)


LINEAR_REGRESSION = LinearRegression()
