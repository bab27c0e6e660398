"""How a driver does on highway-fast-v0: crash rate and mean return over unseen seeds, beside doing nothing or anything.

Run: `python benchmarks/fields/closed_loop.py --recipe behaviour-cloning`, with `servery[driving]` installed. The driver
learns from moments of the field's own sample (`dqn` takes only the scales from them), never from the seeds that judge.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import servery
from servery.data.highway import Highway
from servery.evaluation.closed_loop import Decide, Drives, by_chance, by_idling, drive
from servery.fields.offers.autonomous_driving_decisions import sample

UNSEEN = 20_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default="behaviour-cloning")
    parser.add_argument("--moments", type=int, default=16_000)
    parser.add_argument("--drives", type=int, default=100)
    parser.add_argument("--first-seed", type=int, default=UNSEEN)
    parser.add_argument("--set", action="append", default=[], help="a hyperparameter as name=JSON")
    arguments = parser.parse_args()
    changes = dict(_pair(text) for text in arguments.set)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SERVERY_HOME"] = folder
        path = _demonstrations(Path(folder) / "demonstrations.csv", arguments.moments)
        started = time.monotonic()
        plan = servery.Plan(
            "driver",
            "autonomous-driving",
            str(path),
            task="driving-decision",
            recipe=arguments.recipe,
            threads=1,
            hyperparameters=changes,
        )
        print(servery.train(plan).evaluation.verdict)
        print(
            json.dumps({"recipe": arguments.recipe, "train_seconds": round(time.monotonic() - started)}),
            flush=True,
        )
        _judged(arguments.drives, arguments.first_seed)


def _pair(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    return name, json.loads(value)


def _demonstrations(path: Path, moments: int) -> Path:
    dataset = sample(moments, 1)
    names = [column.name for column in dataset.columns]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        for row in range(len(dataset)):
            writer.writerow(["" if value != value else value for value in (dataset[n][row] for n in names)])
    return path


def _judged(count: int, first: int) -> None:
    model, road = servery.load("driver"), Highway()

    def says(what: str) -> Decide:
        return lambda row: str(model(dict(row)).outputs[0][what])

    drivers: dict[str, Decide] = {
        "with the shield": says("action"),
        "without the shield": says("label"),
        "idle": by_idling(),
        "random": by_chance(),
    }
    for name, decide in drivers.items():
        print(
            json.dumps({"driver": name, **_figures(drive(road, decide, range(first, first + count)))}),
            flush=True,
        )


def _figures(drives: Drives) -> dict[str, Any]:
    names = ("value", "low", "high")
    return {
        "drives": len(drives.returns),
        "crash_rate": dict(zip(names, (round(v, 3) for v in drives.crash_rate), strict=True)),
        "mean_return": dict(zip(names, (round(v, 2) for v in drives.mean_return), strict=True)),
        "mean_steps": round(float(drives.steps.mean()), 1),
    }


if __name__ == "__main__":
    main()
