"""What is special about boosting: time, and labels that a fold lacks."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from servery.models.recipe import Budget, find_recipe

RECIPE = find_recipe("gradient-boosting", "table", "classification")


def test_a_deadline_is_kept(make_work: Callable[..., Any], field_sample: Callable[..., Any]) -> None:
    rows = field_sample("table", "classification")
    endless = {"rounds": 1_000_000, "patience": 1_000_000, "bags": 3, "learning_rate": 1e-4}
    work = make_work(RECIPE, "classification", rows, rows, **endless)
    started = time.monotonic()
    made = RECIPE.make(replace(work, budget=Budget(1.5, 1)))
    assert made.stopped == "deadline"
    assert 1.2 < time.monotonic() - started < 3.0
    assert len(made.predictor.runtime.groups[0]) == 3  # type: ignore[attr-defined]


def test_a_label_that_one_row_carries_does_not_stop_the_training(
    make_work: Callable[..., Any], field_sample: Callable[..., Any]
) -> None:
    rows = field_sample("table", "multi-label-classification").take(np.arange(60))
    cells = rows[rows.target.name].copy()
    cells[7] = (*cells[7], "rare")
    rows = replace(rows, values={**rows.values, rows.target.name: cells})
    made = RECIPE.make(make_work(RECIPE, "multi-label-classification", rows, rows, bags=3, rounds=5))
    assert "rare" in made.predictor.signature.labels
    assert np.isfinite(made.predictor.outputs(list(rows.examples()))).all()


def test_bags_are_averaged(make_work: Callable[..., Any], field_sample: Callable[..., Any]) -> None:
    rows = field_sample("table", "classification")
    work = make_work(RECIPE, "classification", rows, rows, bags=2, rounds=5)
    predictor = RECIPE.make(work).predictor
    batch = predictor.encode(list(rows.examples())[:7])
    scores = [b.predict(batch["x"], raw_score=True) for b in predictor.runtime.groups[0]]  # type: ignore[attr-defined]
    assert np.allclose(predictor.run(batch)[:, 1], np.mean(scores, axis=0) / 2, atol=1e-6)
