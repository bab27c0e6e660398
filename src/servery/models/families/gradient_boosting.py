"""Gradient boosting on tables, in LightGBM."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import lightgbm
import numpy as np
from lightgbm.callback import CallbackEnv, EarlyStopException

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.errors import DataError, TrainingError
from servery.models.encoders.rows import Rows
from servery.models.families._assembly import (
    LABEL_TASKS,
    TABLE_KINDS,
    assemble,
    columns_for,
    say_left_out,
)
from servery.models.families._measures import label_count_of
from servery.models.families._monotone import read_monotone
from servery.models.recipe import Cost, Made, Recipe, Work
from servery.models.runtimes.lightgbm import LightGbm

SECONDS_PER_CELL_AND_ROUND = 4e-9
"""Measured on taiwan-credit-default, one core."""
TYPICAL_ROUNDS = 200


class GradientBoosting(Recipe):
    """Trees, each correcting those before it; several runs on different rows are averaged."""

    name = "gradient-boosting"
    title = "Gradient boosting"
    summary = (
        "Boosted decision trees with early stopping (Friedman 2001; LightGBM: Ke et al. 2017), averaged over "
        "several choices of rows (Breiman 1996, bagging)."
    )
    form = "table"
    tasks = LABEL_TASKS
    defaults = {
        "learning_rate": 0.03,
        "num_leaves": 15,
        "min_rows_in_leaf": 0,
        "column_share": 0.5,
        "row_share": 0.8,
        "l2": 20.0,
        "rounds": 3000,
        "patience": 50,
        "bags": 5,
        "class_weights": "none",
        "monotone": "",
    }
    search_space = {
        "num_leaves": (7, 15, 31, 63),
        "learning_rate": (0.02, 0.03, 0.1),
        "column_share": (0.3, 0.5, 0.8),
        "bags": (1, 5, 10),
    }

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from cells, trees and a typical number of rounds."""
        cells, labels = len(dataset) * len(dataset.inputs), label_count_of(dataset)
        trees = TYPICAL_ROUNDS * hyperparameters["bags"] * (labels if labels > 2 else 1)
        seconds = 0.5 + trees * (cells * SECONDS_PER_CELL_AND_ROUND + 0.0005)
        reason = f"{len(dataset):,} rows of {len(dataset.inputs)} columns, about {trees:,} trees"
        return Cost(seconds, int(200 * 2**20 + 30 * cells), reason)

    def make(self, work: Work) -> Made:
        """Grow the trees; early stopping looks at rows the run does not learn from."""
        columns = columns_for(work.train, TABLE_KINDS)
        say_left_out(work, columns)
        examples = list(work.train.examples())
        encoder = Rows.fit(examples, columns, layout="plain")
        x = encoder.encode(examples)["x"]
        labels = work.task.labels_of(work.train)
        targets = work.task.encode_targets(work.train, labels)
        held_out = (
            encoder.encode(list(work.validation.examples()))["x"],
            work.task.encode_targets(work.validation, labels),
        )
        places = range(len(encoder.numbers), x.shape[1])
        boosting = Boosting(work, len(labels), list(places), directions=directions_of(work, columns, labels))
        groups = boosting.grow(x, targets, held_out)
        runtime = LightGbm(groups, boosting.layout(targets), work.budget.threads)
        predictor = assemble(work, self.name, columns, labels, encoder, runtime, "LightGBM needs no torch")
        return Made(predictor, tuple(boosting.history), "deadline" if boosting.is_late else "early stopping")


class Boosting:
    """The runs of one training: a bag each, and for several labels a row a run each."""

    def __init__(
        self,
        work: Work,
        label_count: int,
        category_places: Sequence[int],
        objective: str = "regression",
        directions: Sequence[int] = (),
    ) -> None:
        self.work = work
        self.label_count = label_count
        self.objective = objective
        self.category_places = list(category_places)
        self.directions = list(directions)
        """+1, -1 or 0 for each feature; empty for none."""
        self.history: list[Mapping[str, float]] = []
        self.is_late = False
        self._started = time.monotonic()

    def layout(self, targets: np.ndarray) -> str:
        """Return how the scores become logits."""
        if targets.ndim == 2:
            return "labels"
        return "binary" if self.label_count == 2 else "multiclass"

    def grow(
        self, x: np.ndarray, targets: np.ndarray, held_out: tuple[np.ndarray, np.ndarray]
    ) -> list[list[lightgbm.Booster]]:
        """Return the boosters: one group, or one a label where a row carries several."""
        if targets.ndim == 1:
            return [self.bags(x, targets, held_out, 0, 1)]
        columns = [np.ascontiguousarray(column) for column in targets.T]
        held_out_columns = [np.ascontiguousarray(column) for column in held_out[1].T]
        return [
            self.bags(x, column, (held_out[0], held_out_columns[label]), label, len(columns))
            for label, column in enumerate(columns)
        ]

    def bags(
        self,
        x: np.ndarray,
        targets: np.ndarray,
        held_out: tuple[np.ndarray, np.ndarray],
        group: int,
        groups: int,
    ) -> list[lightgbm.Booster]:
        """Return the boosters of one group; each stopped by rows it did not learn from."""
        bags = max(int(self.work.hyperparameters["bags"]), 1)
        runs = groups * bags
        if bags == 1:
            return [self._run(x, targets, *held_out, group, runs)]
        # Each bag stops by its own fold, so that the validation part stays unseen for the calibration.
        folds = stratified_folds(targets, bags, self.work.seed)
        boosters = []
        for bag in range(bags):
            kept, out = folds != bag, folds == bag
            number = group * bags + bag
            boosters.append(self._run(x[kept], targets[kept], x[out], targets[out], number, runs))
        return boosters

    def _run(
        self,
        x: np.ndarray,
        targets: np.ndarray,
        held_out_x: np.ndarray,
        held_out_targets: np.ndarray,
        number: int,
        runs: int,
    ) -> lightgbm.Booster:
        settings = self.work.hyperparameters
        options = {"feature_pre_filter": False, "verbosity": -1}
        train = lightgbm.Dataset(
            x,
            targets,
            weight=self._weights(targets),
            categorical_feature=self.category_places,
            params=options,
        )
        validation = lightgbm.Dataset(held_out_x, held_out_targets, reference=train, params=options)
        best = _Best()
        try:
            return lightgbm.train(
                self._parameters(len(x), targets, number),
                train,
                int(settings["rounds"]),
                valid_sets=[validation],
                callbacks=[lambda environment: self._watch(environment, best, number, runs)],
            )
        except lightgbm.basic.LightGBMError as error:
            raise TrainingError(f"LightGBM refused this training: {error}.") from error

    def _parameters(self, rows: int, targets: np.ndarray, number: int) -> dict[str, Any]:
        settings = self.work.hyperparameters
        return {
            **self._objective(targets),
            "learning_rate": settings["learning_rate"],
            "num_leaves": settings["num_leaves"],
            "min_data_in_leaf": settings["min_rows_in_leaf"] or int(np.clip(rows // 100, 2, 100)),
            "feature_fraction": settings["column_share"],
            "bagging_fraction": settings["row_share"],
            "bagging_freq": 1,
            "lambda_l2": settings["l2"] * min(1.0, rows / 10_000),
            "max_cat_threshold": 32,
            "num_threads": self.work.budget.threads,
            "seed": self.work.seed + number,
            "deterministic": True,
            "force_row_wise": True,
            "feature_pre_filter": False,
            "verbosity": -1,
            **({"monotone_constraints": self.directions} if self.directions else {}),
        }

    def _objective(self, targets: np.ndarray) -> dict[str, Any]:
        if not self.label_count:
            return {"objective": self.objective}
        if self.label_count > 2 and np.issubdtype(targets.dtype, np.integer):
            return {"objective": "multiclass", "num_class": self.label_count}
        return {"objective": "binary"}

    def _weights(self, targets: np.ndarray) -> np.ndarray | None:
        if self.work.hyperparameters.get("class_weights") != "balanced":
            return None
        places = targets.astype(np.int64)
        counts = np.bincount(places)
        return np.asarray(len(places) / (np.count_nonzero(counts) * counts[places]))

    def _watch(self, environment: CallbackEnv, best: _Best, number: int, runs: int) -> None:
        seconds = time.monotonic() - self._started
        loss = float(environment.evaluation_result_list[0][2])
        best.note(environment.iteration, loss)
        self.history.append({"epoch": len(self.history) + 1, "seconds": seconds, "loss": loss})
        share = (environment.iteration + 1) / environment.end_iteration
        self.work.progress.update("Boost", number + share, runs, f"loss {loss:.4f}")
        # Every run gets an equal share of the time.
        deadline = self.work.budget.deadline_seconds
        is_over = deadline is not None and seconds > deadline * (number + 1) / runs
        self.is_late = self.is_late or is_over
        if is_over or environment.iteration - best.iteration >= int(self.work.hyperparameters["patience"]):
            raise EarlyStopException(best.iteration, environment.evaluation_result_list)


def directions_of(work: Work, columns: Sequence[Column], labels: Sequence[str]) -> list[int]:
    """Return which way the score of the last label may go with each feature of `Rows`; empty where it may go any.

    Raises:
        DataError: A direction is asked for more than two labels: the scores of the others would turn it around.
    """
    asked = read_monotone(work.hyperparameters["monotone"], columns)
    if not asked:
        return []
    if len(labels) > 2:
        raise DataError(
            f"monotone needs a question of two labels or a number; there are {len(labels)} labels.",
            param="monotone",
        )
    numbers = [column.name for column in columns if column.kind is not Kind.CATEGORY]
    categories = [0] * (len(columns) - len(numbers))
    return [asked.get(name, 0) for name in numbers] + categories


class _Best:
    """The round with the smallest loss so far."""

    def __init__(self) -> None:
        self.iteration = 0
        self.loss = np.inf

    def note(self, iteration: int, loss: float) -> None:
        if loss < self.loss:
            self.iteration, self.loss = iteration, loss


def stratified_folds(targets: np.ndarray, folds: int, seed: int) -> np.ndarray:
    """Return each row's fold, the targets spread evenly over the folds, int64, (rows,)."""
    shuffled = np.random.default_rng(seed).permutation(len(targets))
    numbers = np.empty(len(targets), np.int64)
    numbers[shuffled[np.argsort(targets[shuffled], kind="stable")]] = np.arange(len(targets)) % folds
    return numbers


GRADIENT_BOOSTING = GradientBoosting()
