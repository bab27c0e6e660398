"""Logistic regression on tables: standardised numbers, one weight a category."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from servery.data.dataset import Dataset
from servery.models.encoders.rows import Rows
from servery.models.families._assembly import (
    LABEL_TASKS,
    TABLE_KINDS,
    assemble,
    columns_for,
    say_left_out,
)
from servery.models.families._logistic_fit import fit_logistic
from servery.models.families._measures import label_count_of
from servery.models.recipe import Cost, Made, Recipe, Work
from servery.models.runtimes.linear import Linear

SECONDS_PER_CELL = 1.5e-6
SECONDS_PER_PRODUCT = 2e-9


class Logistic(Recipe):
    """One weight a number and category: the table model whose reasons can be read off."""

    name = "logistic"
    title = "Logistic regression"
    summary = (
        "Logistic regression on one-hot categories and numbers whose slope may change "
        "(Hastie, Tibshirani, Friedman 2009, The Elements of Statistical Learning, sections 4.4 and 5.2)."
    )
    form = "table"
    tasks = LABEL_TASKS
    defaults = {
        "transform": "piecewise",
        "naive_bayes": False,
        "inverse_penalty": 0.1,
        "class_weights": "none",
        "max_iterations": 200,
    }
    search_space = {
        "inverse_penalty": (0.01, 0.1, 1.0, 10.0),
        "transform": ("standard", "quantile", "piecewise"),
        "class_weights": ("none", "balanced"),
    }

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the cells, the labels and the iterations."""
        cells, labels = len(dataset) * len(dataset.inputs), label_count_of(dataset)
        products = 2 * cells * labels * hyperparameters["max_iterations"]
        seconds = 0.5 + cells * SECONDS_PER_CELL + products * SECONDS_PER_PRODUCT
        reason = f"{len(dataset):,} rows of {len(dataset.inputs)} columns, {labels} labels"
        return Cost(seconds, int(150 * 2**20 + 60 * cells), reason)

    def make(self, work: Work) -> Made:
        """Learn scales and categories, then the weights."""
        columns = columns_for(work.train, TABLE_KINDS)
        say_left_out(work, columns)
        examples = list(work.train.examples())
        encoder = Rows.fit(examples, columns, layout="one-hot", transform=work.hyperparameters["transform"])
        x = encoder.encode(examples)["x"].astype(np.float64)
        labels = work.task.labels_of(work.train)
        learned = fit_logistic(x, work.task.encode_targets(work.train, labels), len(labels), work)
        runtime = Linear(learned.weight, learned.bias, x.mean(axis=0).astype(np.float32))
        predictor = assemble(work, self.name, columns, labels, encoder, runtime, "one product in numpy")
        return Made(predictor, learned.history, learned.stopped)


LOGISTIC = Logistic()
