"""The scorecard: columns cut into bins, a weight of evidence for each, and a logistic regression over them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.errors import DataError
from servery.models.encoders.weight_of_evidence import PointsScale, WeightOfEvidence
from servery.models.families._assembly import assemble, columns_for, say_left_out
from servery.models.families._binning import Binning
from servery.models.families._logistic_fit import LogisticFit, fit_logistic
from servery.models.families._monotone import read_monotone
from servery.models.recipe import Cost, Made, Recipe, Work
from servery.models.runtimes.linear import Linear

SECONDS_PER_CELL = 4e-6
"""Measured on taiwan-credit-default, one core."""
READ = frozenset({Kind.NUMBER, Kind.CATEGORY})
AUTO = "auto"


class ScorecardRecipe(Recipe):
    """Points for each bin of each column; their sum is the score."""

    name = "scorecard"
    title = "Scorecard"
    summary = (
        "Columns cut into bins by a small tree each, weights of evidence, and a logistic regression whose weights are "
        "told as points (Siddiqi 2006, Credit Risk Scorecards, chapter 6)."
    )
    form = "table"
    tasks = frozenset({"classification"})
    defaults = {
        "most_bins": 5,
        "least_share": 0.05,
        "monotone": "",
        "inverse_penalty": 1.0,
        "class_weights": "none",
        "naive_bayes": False,
        "max_iterations": 200,
        "base_points": 600.0,
        "base_odds": 50.0,
        "points_to_double_odds": 20.0,
    }
    search_space = {
        "most_bins": (4, 5, 8, 12),
        "least_share": (0.01, 0.02, 0.05),
        "inverse_penalty": (0.1, 1.0, 10.0),
    }

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the cells."""
        cells = len(dataset) * len(dataset.inputs)
        reason = f"{len(dataset):,} rows of {len(dataset.inputs)} columns"
        return Cost(0.5 + cells * SECONDS_PER_CELL, int(150 * 2**20 + 40 * cells), reason)

    def make(self, work: Work) -> Made:
        """Cut the columns on the training rows, then learn a weight for each.

        Raises:
            DataError: There are more than two labels, or a setting makes no sense.
        """
        labels = work.task.labels_of(work.train)
        if len(labels) != 2:
            raise DataError(
                f"A scorecard tells two labels apart; '{work.train.target.name}' has {len(labels)}.",
                hint="--recipe logistic",
                param="recipe",
            )
        columns = columns_for(work.train, READ)
        say_left_out(work, columns)
        targets = work.task.encode_targets(work.train, labels)
        encoder = _encoder(work, columns, targets == 1)
        x = encoder.encode(list(work.train.examples()))["x"].astype(np.float64)
        learned = _fitted(x, targets, work, list(encoder.bins))
        runtime = Linear(learned.weight, learned.bias, x.mean(axis=0).astype(np.float32))
        predictor = assemble(work, self.name, columns, labels, encoder, runtime, "one product in numpy")
        return Made(predictor, learned.history, learned.stopped)


def _encoder(work: Work, columns: tuple[Column, ...], is_bad: np.ndarray) -> WeightOfEvidence:
    settings = work.hyperparameters
    scale = PointsScale(settings["base_points"], settings["base_odds"], settings["points_to_double_odds"])
    if scale.base_odds <= 0 or scale.points_to_double_odds <= 0:
        raise DataError("base_odds and points_to_double_odds must be above 0.", param="base_odds")
    is_auto = settings["monotone"].strip() == AUTO
    asked: dict[str, int] = {} if is_auto else read_monotone(settings["monotone"], columns)
    binning = Binning(int(settings["most_bins"]), float(settings["least_share"]), is_bad)
    return WeightOfEvidence(
        {
            c.name: binning.column(c, work.train[c.name].tolist(), 0 if is_auto else asked.get(c.name))
            for c in columns
        },
        scale,
    )


def _fitted(x: np.ndarray, targets: np.ndarray, work: Work, names: list[str]) -> LogisticFit:
    """Return the fit, without columns whose weight would turn their own evidence around.

    Such a column only corrects others that say nearly the same; its points could be explained to nobody, and a
    monotone column would run backwards.
    """
    kept = np.arange(len(names))
    while True:
        learned = fit_logistic(x[:, kept], targets, 2, work)
        # Evidence is of good: it must lower the logit of bad.
        is_right = learned.weight[:, 1] <= 0
        if is_right.all():
            break
        kept = kept[is_right]
    left_out = [name for place, name in enumerate(names) if place not in kept]
    if left_out:
        work.progress.say("Left out", f"{', '.join(left_out)}: 0 points, other columns say the same better")
    weight = np.zeros((len(names), 2), np.float32)
    weight[kept] = learned.weight
    return LogisticFit(weight, learned.bias, learned.history, learned.stopped)


SCORECARD = ScorecardRecipe()
