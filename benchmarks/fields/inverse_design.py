"""How many proposed buildings keep their limits by a second model that never saw what the first one learned from.

Run: `SERVERY_DATA=... python benchmarks/fields/inverse_design.py`. The training part of building-energy is cut in two
at random, and Gaussian processes learn heating and cooling from each half. The designer of the first half is asked for
ten designs under each of twelve pairs of limits; the models of the other half judge them. The test part stays closed.
"""

from __future__ import annotations

import csv
import gzip
import itertools
import os
import random
import tempfile
from pathlib import Path

import servery

DATA = Path("ai-assisted-design/building-energy/train.csv.gz")
INPUTS = [f"X{number}" for number in range(1, 9)]
QUANTITIES = ("Y1", "Y2")
LIMITS = list(itertools.product((15.0, 20.0, 25.0, 30.0), (18.0, 25.0, 32.0)))


def main() -> None:
    with gzip.open(Path(os.environ["SERVERY_DATA"]) / DATA, "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    random.Random(0).shuffle(rows)
    halves = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SERVERY_HOME"] = folder
        for name, half in zip(("first", "second"), halves, strict=True):
            for quantity in QUANTITIES:
                print(_trained(Path(folder), f"{name}-{quantity.lower()}", half, quantity))
        servery.make_designer("designer", ["first-y1", "first-y2"])
        _judged()


def _trained(folder: Path, name: str, rows: list[dict[str, str]], quantity: str) -> str:
    path = folder / f"{name}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*INPUTS, quantity], extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    kinds = {"X6": "category", "X8": "category", quantity: "number"}
    plan = servery.Plan(
        name,
        "ai-assisted-design",
        str(path),
        target=quantity,
        recipe="gaussian-process",
        kinds=kinds,
        threads=1,
    )
    return f"{name}: {servery.train(plan).evaluation.verdict}"


def _judged() -> None:
    designer, judges = servery.load("designer"), {q: servery.load(f"second-{q.lower()}") for q in QUANTITIES}
    kept = proposed = unanswered = 0
    won = []
    for heating, cooling in LIMITS:
        limits = {"Y1": {"max": heating}, "Y2": {"max": cooling}}
        aims = dict.fromkeys(QUANTITIES, "min")
        [answer] = designer({"objectives": aims, "limits": limits}, count=10, evaluations=200).outputs
        designs = [c["design"] for c in answer["candidates"] if c["is_feasible"]]
        unanswered += not designs
        if answer["against_random"]:
            won.append((answer["against_random"]["search"], answer["against_random"]["random"]))
        for design in designs:
            said = {q: judge(design).outputs[0]["value"] for q, judge in judges.items()}
            proposed += 1
            kept += all(said[q] <= limits[q]["max"] for q in QUANTITIES)
    print(
        f"{kept} of {proposed} proposals keep their limits by the second models; {unanswered} briefs had none"
    )
    search, chance = (sum(volume) / len(won) for volume in zip(*won, strict=True))
    print(f"volume won by the search {search:.3f}, by as many random designs {chance:.3f}")


if __name__ == "__main__":
    main()
