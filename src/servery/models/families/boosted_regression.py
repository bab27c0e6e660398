"""Gradient boosting that learns a number, and how unsure it is of it, on tables, in LightGBM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import lightgbm
import numpy as np

from servery.data.dataset import Dataset
from servery.models.encoders.rows import Rows
from servery.models.families._assembly import TABLE_KINDS, assemble, columns_for, say_left_out
from servery.models.families.gradient_boosting import (
    SECONDS_PER_CELL_AND_ROUND,
    Boosting,
    GradientBoosting,
    directions_of,
    stratified_folds,
)
from servery.models.recipe import Cost, Made, Work
from servery.models.runtimes.lightgbm import LightGbm

TYPICAL_ROUNDS = 400
MOST_STEPS = 20
"""Whole numbers of no more different values are marks on a scale, not counts."""
LEAST_SHARE = 0.05
"""Of the mean error: the least that a row counts as unsure, so that a lucky row promises no miracle."""


class BoostedRegression(GradientBoosting):
    """Trees for the number; then trees for how large their error was on rows they had not learned from."""

    title = "Gradient boosting of numbers"
    summary = (
        "Boosted regression trees (Friedman 2001; LightGBM: Ke et al. 2017), averaged over several choices of rows, "
        "and a second set that learns their errors out of fold, for intervals as wide as the row is hard "
        "(Lei et al. 2018, section 5.2). Counts are learned as their logarithm, by the Poisson likelihood."
    )
    tasks = frozenset({"regression"})
    defaults = {
        "learning_rate": 0.05,
        "num_leaves": 15,
        "min_rows_in_leaf": 0,
        "column_share": 0.8,
        "row_share": 0.8,
        "l2": 1.0,
        "rounds": 3000,
        "patience": 100,
        "bags": 5,
        "monotone": "",
    }

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from cells, trees and a typical number of rounds."""
        cells, trees = len(dataset) * len(dataset.inputs), TYPICAL_ROUNDS * 2 * hyperparameters["bags"]
        seconds = 0.5 + trees * (cells * SECONDS_PER_CELL_AND_ROUND + 0.0005)
        reason = f"{len(dataset):,} rows of {len(dataset.inputs)} columns, about {trees:,} trees"
        return Cost(seconds, int(200 * 2**20 + 30 * cells), reason)

    def make(self, work: Work) -> Made:
        """Grow the trees of the number, then those of its errors."""
        columns = columns_for(work.train, TABLE_KINDS)
        say_left_out(work, columns)
        examples = list(work.train.examples())
        encoder = Rows.fit(examples, columns, layout="plain")
        x, targets = encoder.encode(examples)["x"], work.task.encode_targets(work.train, ())
        held_out_x = encoder.encode(list(work.validation.examples()))["x"]
        held_out = (held_out_x, work.task.encode_targets(work.validation, ()))
        layout, objective = ("counts", "poisson") if _are_counts(targets) else ("numbers", "regression")
        boosting = Boosting(work, 0, list(range(len(encoder.numbers), x.shape[1])), objective)
        boosting.directions = directions_of(work, columns, ())
        values = boosting.bags(x, targets, held_out, 0, 2)
        groups = [values]
        if len(values) > 1:
            errors = _log_errors(values, x, targets, work.seed)
            held_out_errors = _logarithms(np.abs(_mean(values, held_out_x) - held_out[1]))
            boosting.objective, boosting.directions = "regression", []
            groups.append(boosting.bags(x, errors, (held_out_x, held_out_errors), 1, 2))
        runtime = LightGbm(groups, layout, work.budget.threads)
        predictor = assemble(work, self.name, columns, (), encoder, runtime, "LightGBM needs no torch")
        return Made(predictor, tuple(boosting.history), "deadline" if boosting.is_late else "early stopping")


def _are_counts(targets: np.ndarray) -> bool:
    """Return whether the numbers count something: whole, not negative, and many different ones."""
    is_whole = bool((targets >= 0).all() and (targets == np.round(targets)).all())
    return is_whole and len(np.unique(targets)) > MOST_STEPS


def _log_errors(bags: list[lightgbm.Booster], x: np.ndarray, targets: np.ndarray, seed: int) -> np.ndarray:
    """Return the logarithm of each row's error by the one bag that had not learned from it, (rows,)."""
    folds = stratified_folds(targets, len(bags), seed)
    errors = np.empty(len(targets))
    for bag, booster in enumerate(bags):
        out = folds == bag
        errors[out] = np.abs(booster.predict(x[out]) - targets[out])
    return _logarithms(errors)


def _logarithms(errors: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(np.maximum(errors, LEAST_SHARE * errors.mean() + np.finfo(np.float32).tiny)))


def _mean(bags: list[lightgbm.Booster], x: np.ndarray) -> np.ndarray:
    return np.asarray(np.mean([booster.predict(x) for booster in bags], axis=0))


BOOSTED_REGRESSION = BoostedRegression()
