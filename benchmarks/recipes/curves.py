"""Learning and time curves of every recipe of every field on its real data set: score against rows and seconds.

Run: SERVERY_DATA=... python benchmarks/recipes/curves.py --shares 0.1 0.3 1 --deadline 240 --output curves.json
The score is the primary metric on the VALIDATION part; the test part is not touched here.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from servery.data.dataset import Dataset
from servery.data.splits import Split, split
from servery.fields._field import Field, Offer, all_fields
from servery.models.recipe import Budget, Work, find_recipe
from servery.pipeline.advice import form_of, task_for
from servery.pipeline.source import best_at_hand
from servery.progress import Silence
from servery.training.trainer import Trainer


def main() -> None:
    arguments = _arguments()
    rows: list[dict[str, Any]] = []
    root = Path(os.environ["SERVERY_DATA"])
    for field in all_fields().values():
        if arguments.fields and field.name not in arguments.fields:
            continue
        offer = field.offer_for(arguments.task if arguments.task in field.tasks else "")
        name, dataset = best_at_hand(offer, root)
        parts = split(dataset, "auto", 0)
        for choice in offer.recipes:
            if arguments.recipes and choice.name not in arguments.recipes:
                continue
            for share in arguments.shares:
                means = (arguments.deadline, arguments.threads)
                row = measure(field, offer, choice.name, parts, share, *means)
                rows.append({"data": name, **row})
                print(json.dumps(rows[-1]), flush=True)
                arguments.output.write_text(json.dumps(rows, indent=1))


def measure(
    field: Field,
    offer: Offer,
    recipe_name: str,
    parts: Split,
    share: float,
    deadline_seconds: float,
    threads: int,
) -> dict[str, Any]:
    """Fit one recipe on a share of the training part and score it on the whole validation part."""
    chosen = np.random.default_rng(0).permutation(len(parts.train))[: int(share * len(parts.train))]
    train: Dataset = parts.train.take(np.sort(chosen))
    task = task_for(offer, train)
    recipe = find_recipe(recipe_name, form_of(train), task.name)
    budget = Budget(deadline_seconds, threads)
    work = Work(
        task=task,
        field=field.name,
        train=train,
        validation=parts.validation,
        hyperparameters=dict(recipe.defaults),
        seed=0,
        budget=budget,
        loop=Trainer(None, 0, budget, Silence()),
    )
    estimate = recipe.cost(train, work.hyperparameters, threads).seconds
    started, started_cpu = time.monotonic(), time.process_time()
    made = recipe.make(work)
    seconds, cpu_seconds = time.monotonic() - started, time.process_time() - started_cpu
    outputs = made.predictor.outputs(list(parts.validation.examples()))
    targets = task.encode_targets(parts.validation, made.predictor.signature.labels)
    scores = task.measure(targets, outputs, task.calibrate(targets, outputs))
    return {
        "field": field.name,
        "recipe": recipe_name,
        "rows": len(train),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_seconds, 1),
        "estimated_seconds": round(estimate, 1),
        "stopped": made.stopped,
        "epochs": len(made.history),
        "metric": task.primary_metric,
        "validation": round(scores[task.primary_metric], 4),
        "scores": {name: round(float(value), 4) for name, value in scores.items()},
        "history": [
            [round(row["seconds"], 1), round(row[task.primary_metric], 4)]
            for row in made.history
            if task.primary_metric in row
        ],
    }


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.1, 0.3, 1.0])
    parser.add_argument("--deadline", type=float, default=240.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--fields", nargs="*", default=[])
    parser.add_argument("--task", default="", help="of the fields that have it; else a field's first")
    parser.add_argument("--recipes", nargs="*", default=[])
    parser.add_argument("--output", type=Path, default=Path("curves.json"))
    return parser.parse_args()


if __name__ == "__main__":
    main()
