"""What a report shows of predicted numbers: each beside the true one, and whether intervals hold their promise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from servery.evaluation.figure import Figure, Key
from servery.evaluation.figures import ACCENT, CHANCE, INK, SOFT, draw
from servery.evaluation.numbers import shown
from servery.evaluation.view import Case, View
from servery.metrics.intervals import COVERAGES, interval_metrics, margin_at
from servery.tasks.regression import REGRESSION, spreads
from servery.tasks.task import LearnableTask

MOST_POINTS = 400
TABLE_ROWS = 10


class Numbers(View):
    """A scatter of predicted over true numbers, and the coverage of the intervals."""

    name = "numbers"

    def accepts(self, task: LearnableTask) -> bool:
        """Whether the task answers with a number."""
        return task is REGRESSION

    def look(self, case: Case) -> dict[str, Any]:
        """Return pairs of true and predicted numbers, and the share within the intervals of each promised share."""
        predicted = case.outputs[:, 0].astype(np.float64)
        order = np.argsort(case.targets, kind="stable")
        places = order[np.unique(np.linspace(0, len(order) - 1, min(MOST_POINTS, len(order))).astype(int))]
        pairs = np.stack([case.targets, predicted], axis=1)[places]  # (points, 2)
        coverages, margins = [], case.predictor.calibration.margins
        for coverage in COVERAGES if margins else ():
            half = margin_at(margins, coverage) * spreads(case.outputs)
            held, width = interval_metrics(
                case.targets, predicted - half, predicted + half, coverage
            ).values()
            coverages.append((coverage, held, width))
        return {"target": case.test.target.name, "pairs": pairs.tolist(), "coverages": coverages}

    def figures(self, found: Mapping[str, Any]) -> list[Figure]:
        """Return the figures of what `look` found."""
        coverage = [_coverage(found["coverages"])] if found["coverages"] else []
        return [_pairs(found["target"], np.array(found["pairs"])), *coverage]


def _pairs(target: str, pairs: np.ndarray) -> Figure:
    ends = [float(pairs.min()), float(pairs.max())]

    def paint(axes: Any) -> None:
        axes.plot(ends, ends, color=SOFT, dashes=CHANCE, linewidth=1)
        axes.plot(pairs[:, 0], pairs[:, 1], "o", color=ACCENT, markersize=3, alpha=0.55, markeredgewidth=0)
        axes.set_xlabel(f"true {target}")
        axes.set_ylabel("predicted")

    rows = pairs[np.unique(np.linspace(0, len(pairs) - 1, TABLE_ROWS).astype(int))]
    worst = pairs[np.abs(pairs[:, 1] - pairs[:, 0]).argmax()]
    return Figure(
        "Predicted and true",
        f"The farthest of these {len(pairs):,} test rows was predicted {shown(worst[1])} and is {shown(worst[0])}.",
        draw(paint, 5.2, 4.0, "pairs"),
        ("True", "Predicted"),
        tuple((shown(true), shown(said)) for true, said in rows.tolist()),
        (Key("exactly right", "soft", CHANCE),),
    )


def _coverage(coverages: list[tuple[float, float, float]]) -> Figure:
    promised, held, _ = np.array(coverages).T

    def paint(axes: Any) -> None:
        axes.plot([0.4, 1], [0.4, 1], color=SOFT, dashes=CHANCE, linewidth=1)
        axes.plot(promised, held, "o-", color=INK, markersize=4)
        axes.set_xlabel("promised share")
        axes.set_ylabel("share that held")

    farthest = int(np.abs(held - promised).argmax())
    return Figure(
        "Do intervals hold what they promise?",
        f"Intervals made for {promised[farthest]:.0%} of the rows held the truth of {held[farthest]:.1%}: "
        "no other share is farther from its promise.",
        draw(paint, 5.2, 3.4, "coverage"),
        ("Promised", "Held", "Mean width"),
        tuple((f"{p:.0%}", f"{h:.1%}", shown(width)) for p, h, width in coverages),
        (Key("as promised", "soft", CHANCE),),
    )


NUMBERS = Numbers()
