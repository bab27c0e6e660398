"""Gradient boosting on lags: for some steps ahead the change from the last reading, and how far it errs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, ClassVar

import lightgbm
import numpy as np

from servery.data.dataset import Dataset
from servery.models.encoders.windows import Windows
from servery.models.families._assembly import assemble, say_left_out
from servery.models.families._series import TASKS, lengths_of, series_columns
from servery.models.recipe import Cost, Made, Recipe, Work
from servery.models.runtimes.lightgbm import LightGbm
from servery.models.runtimes.step_trees import StepTrees, compressed, stretched

STEPS = (1, 2, 3, 6, 9, 12, 18, 24, 36, 48, 72, 120, 168)
"""Steps ahead that get trees of their own; those between lie on straight lines."""
SECONDS_PER_CELL_AND_ROUND = 8e-9
TYPICAL_ROUNDS = 200
SPREAD_ROUNDS = 60
SMALL = 0.125
"""Standard deviations from 0 up to which changes are learned as what is added; beyond, as what they multiply by."""
LEAST_SHARE = 0.05
"""Of the mean error: the least that a row counts as unsure."""


class BoostedSeries(Recipe):
    """Trees over the last readings, their means and changes, calendar and place."""

    name = "gradient-boosting"
    title = "Gradient boosting on lags"
    summary = (
        "Boosted trees on lags, means and changes of all series and the calendar, for each of some steps ahead the "
        "change from the last reading by the absolute error (Friedman 2001; LightGBM: Ke et al. 2017; direct "
        "forecasts: Taieb et al. 2012)."
    )
    form = "series"
    tasks = TASKS
    defaults: ClassVar[Mapping[str, Any]] = {
        "learning_rate": 0.06,
        "num_leaves": 31,
        "min_rows_in_leaf": 40,
        "column_share": 0.5,
        "row_share": 0.7,
        "l2": 5.0,
        "rounds": 300,
        "patience": 30,
        "past": 0,
    }
    search_space = {"num_leaves": (15, 31, 63), "learning_rate": (0.03, 0.06, 0.1)}

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the features, the steps and a typical number of rounds."""
        _, horizon, series = lengths_of(dataset)
        rows, features, steps = len(dataset), 50 + 7 * series, len(_steps(horizon))
        rounds = min(TYPICAL_ROUNDS, hyperparameters["rounds"])
        seconds = 0.5 + steps * rounds * (rows * features * SECONDS_PER_CELL_AND_ROUND + 0.002) / threads**0.7
        memory = 200 * 2**20 + 12 * rows * features
        return Cost(seconds, memory, f"{rows:,} rows of {features} features, {steps} steps")

    def make(self, work: Work) -> Made:
        """Grow the trees of each step, then those of its errors."""
        columns = series_columns(work.train)
        say_left_out(work, columns)
        examples = list(work.train.examples())
        encoder = Windows.fit(examples, columns, "lags", work.hyperparameters["past"])
        x, targets = encoder.encode(examples)["x"], work.task.encode_targets(work.train, ())
        held_out_x = encoder.encode(list(work.validation.examples()))["x"]
        held_out = work.task.encode_targets(work.validation, ())
        scale = float(encoder.scales[0]) * SMALL
        growing = _Growing(work, _steps(targets.shape[1]), scale)
        for step in growing.steps:
            growing.grow(x, targets[:, step - 1], held_out_x, held_out[:, step - 1])
        trees = LightGbm([[b] for b in (*growing.values, *growing.spreads)], "labels", work.budget.threads)
        runtime = StepTrees(trees, growing.steps, scale)
        predictor = assemble(work, self.name, columns, (), encoder, runtime, "LightGBM needs no torch")
        return Made(predictor, (), "deadline" if growing.is_late else "early stopping")


class _Growing:
    """The trees of one training, step after step, within its time."""

    def __init__(self, work: Work, steps: tuple[int, ...], scale: float) -> None:
        self.work, self.steps, self.scale = work, steps, scale
        self.values: list[lightgbm.Booster] = []
        self.spreads: list[lightgbm.Booster] = []
        self.is_late = False
        self._started = time.monotonic()

    def grow(self, x: np.ndarray, y: np.ndarray, held_out_x: np.ndarray, held_out_y: np.ndarray) -> None:
        """Add the trees of the next step; rows whose reading is missing are left out."""
        known, held = np.isfinite(y), np.isfinite(held_out_y)
        settings = self.work.hyperparameters
        x, y, held_out_x, held_out_y = x[known], y[known], held_out_x[held], held_out_y[held]
        last = compressed(x[:, 0], self.scale)
        held_out_changes = compressed(held_out_y, self.scale) - compressed(held_out_x[:, 0], self.scale)
        changes = compressed(y, self.scale) - last
        learned = self._run(x, changes, (held_out_x, held_out_changes), "regression_l1")
        # The errors of rows that were learned from are too small, alike in all of them: the margins make up for it.
        errors = np.abs(y - stretched(last + np.asarray(learned.predict(x)), self.scale))
        floor = LEAST_SHARE * float(errors.mean()) + np.finfo(np.float32).tiny
        logs = np.log(np.maximum(errors, floor))
        rounds = min(SPREAD_ROUNDS, int(settings["rounds"]))
        self.values.append(learned)
        self.spreads.append(self._run(x, logs, None, "regression", rounds))
        number = len(self.values)
        self.work.progress.update("Fit", number, len(self.steps), f"{self.steps[number - 1]} steps ahead")

    def _run(
        self,
        x: np.ndarray,
        y: np.ndarray,
        held_out: tuple[np.ndarray, np.ndarray] | None,
        objective: str,
        rounds: int = 0,
    ) -> lightgbm.Booster:
        settings = self.work.hyperparameters
        options = {
            "objective": objective,
            "metric": "l1",
            "learning_rate": settings["learning_rate"],
            "num_leaves": settings["num_leaves"],
            "min_data_in_leaf": min(settings["min_rows_in_leaf"], max(len(y) // 20, 1)),
            "feature_fraction": settings["column_share"],
            "bagging_fraction": settings["row_share"],
            "bagging_freq": 1,
            "lambda_l2": settings["l2"],
            "seed": self.work.seed,
            "deterministic": True,
            "force_col_wise": True,
            "num_threads": self.work.budget.threads,
            "verbosity": -1,
        }
        train = lightgbm.Dataset(x, y, params={"verbosity": -1})
        callbacks = [self._in_time]
        sets = []
        if held_out is not None and len(held_out[1]):
            sets = [lightgbm.Dataset(*held_out, reference=train)]
            callbacks.append(lightgbm.early_stopping(settings["patience"], verbose=False))
        return lightgbm.train(
            options, train, rounds or int(settings["rounds"]), valid_sets=sets, callbacks=callbacks
        )

    def _in_time(self, environment: Any) -> None:
        deadline = self.work.budget.deadline_seconds
        if deadline is None:
            return
        # Each step has its share of the time, whatever those before it took.
        share = deadline * (len(self.values) + 1) / len(self.steps)
        if time.monotonic() - self._started > share:
            self.is_late = True
            raise lightgbm.callback.EarlyStopException(environment.iteration, [("", "l1", 0.0, False)])


def _steps(horizon: int) -> tuple[int, ...]:
    """Return the steps that get trees.

    >>> _steps(5)
    (1, 2, 3, 5)
    """
    return (*(step for step in STEPS if step < horizon), horizon)


BOOSTED_SERIES = BoostedSeries()
