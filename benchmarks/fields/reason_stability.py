"""How far the reasons of a refusal depend on which rows a model happened to learn from.

Run: `SERVERY_DATA=... python benchmarks/fields/reason_stability.py --recipes scorecard logistic`. Each model is fitted
on the training part and again on bootstrap resamples of it. Of every validation row that the first model refuses, the
three strongest reasons are held against those of each re-fit. The test part is not looked at.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from servery.data.dataset import Dataset
from servery.fields._field import find_field
from servery.models.predictor import Predictor
from servery.models.reasons import column_parts
from servery.pipeline.advice import complete
from servery.pipeline.fit import Means, fit
from servery.pipeline.plan import Plan
from servery.pipeline.source import read_for
from servery.pipeline.train import parts_of
from servery.progress import Silence
from servery.settings import Settings

TOP = 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--field", default="financial-risk")
    parser.add_argument("--data", default="taiwan-credit-default")
    parser.add_argument("--recipes", nargs="+", default=["scorecard", "logistic", "gradient-boosting"])
    parser.add_argument("--resamples", type=int, default=3)
    arguments = parser.parse_args()
    print("| recipe | refusals | same three reasons | same first reason | reasons kept of three |")
    print("|---|---|---|---|---|")
    for recipe in arguments.recipes:
        plan = Plan(name="stability", field=arguments.field, data=arguments.data, recipe=recipe)
        print(line(plan, arguments.resamples), flush=True)


def line(plan: Plan, resamples: int) -> str:
    """Return the row of the table for one recipe."""
    field = find_field(plan.field)
    dataset = read_for(plan, field.offer_for(plan.task, plan.data), Path(Settings().data or "."))
    plan = complete(plan, field, dataset, 1)
    parts = parts_of(dataset, plan)
    first = fitted(plan, parts.train, parts.validation)
    good = first.signature.labels[0]
    examples = list(parts.validation.examples())
    is_refused = first.outputs(examples).argmax(axis=1) == 1
    refused = [example for example, is_it in zip(examples, is_refused, strict=True) if is_it]
    reasons = strongest(first, refused, good)
    found = []
    for seed in range(resamples):
        rows = np.random.default_rng(seed).integers(0, len(parts.train), len(parts.train))
        again = strongest(fitted(plan, parts.train.take(np.sort(rows)), parts.validation), refused, good)
        pairs = list(zip(reasons, again, strict=True))
        found.append(
            (
                np.mean([set(a) == set(b) for a, b in pairs]),
                np.mean([a[:1] == b[:1] for a, b in pairs]),
                np.mean([len(set(a) & set(b)) / max(len(a), 1) for a, b in pairs]),
            )
        )
    shares = " | ".join(f"{share:.3f}" for share in np.mean(found, axis=0))
    return f"| {plan.recipe} | {len(refused):,} | {shares} |"


def fitted(plan: Plan, train: Dataset, validation: Dataset) -> Predictor:
    """Return a model of these rows."""
    return fit(plan, train, validation, Means(1, None, None, Silence())).predictor


def strongest(predictor: Predictor, examples: list[dict[str, object]], label: str) -> list[list[str]]:
    """Return for each row the columns that speak most against a label, the strongest first."""
    _, names, parts = column_parts(predictor, examples, label)
    order = np.argsort(parts, axis=1)[:, :TOP]
    return [
        [names[place] for place in places if row[place] < 0] for places, row in zip(order, parts, strict=True)
    ]


if __name__ == "__main__":
    main()
