"""The forecast that every other one must beat: the last reading, or that of the same place in the last season."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from servery.data.columns import Kind
from servery.data.dataset import Dataset
from servery.errors import DataError
from servery.models.encoders.windows import Windows
from servery.models.families._assembly import assemble, say_left_out
from servery.models.families._series import TASKS, lengths_of, series_columns
from servery.models.recipe import Cost, Made, Recipe, Work
from servery.models.runtimes.linear import Linear


class SeasonalNaive(Recipe):
    """Of both rules, for each step, the one that was nearer on the training rows."""

    name = "seasonal-naive"
    title = "Seasonal naive"
    summary = (
        "The last reading or that of one season before, for each step the nearer one (Hyndman and Athanasopoulos 2021, "
        "section 5.2)."
    )
    form = "series"
    tasks = TASKS
    defaults: ClassVar[Mapping[str, Any]] = {"season": 24, "past": 0}
    search_space = {"season": (1, 24, 168)}

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the rows: they are looked at once."""
        past, steps, _ = lengths_of(dataset)
        rows = len(dataset)
        return Cost(
            0.1 + 1e-6 * rows * (past + steps), 200 * 2**20 + 8 * rows * (past + steps), f"{rows:,} rows"
        )

    def make(self, work: Work) -> Made:
        """Choose a reading for each step."""
        season = int(work.hyperparameters["season"])
        # The rule looks at nothing but the series itself.
        columns = tuple(c for c in series_columns(work.train) if c.kind is Kind.SERIES)[:1]
        if season < 1:
            raise DataError(f"season is {season}; expected at least 1 reading.", param="season")
        say_left_out(work, columns)
        examples = list(work.train.examples())
        encoder = Windows.fit(examples, columns, "history", work.hyperparameters["past"])
        x = encoder.encode(examples)["x"]  # (rows, past)
        targets = work.task.encode_targets(work.train, ())
        past, steps = x.shape[1], targets.shape[1]
        weight = np.zeros((past, steps), np.float32)
        for step in range(1, steps + 1):
            seasons = -(-step // season)
            places = {past - 1, past - 1 + step - season * seasons}
            errors = {p: np.nanmean(np.abs(targets[:, step - 1] - x[:, p])) for p in places if p >= 0}
            weight[min(errors, key=lambda place: (errors[place], -place)), step - 1] = 1.0
        runtime = Linear(weight, np.zeros(steps, np.float32))
        return Made(assemble(work, self.name, columns, (), encoder, runtime, "one product in numpy"))


SEASONAL_NAIVE = SeasonalNaive()
