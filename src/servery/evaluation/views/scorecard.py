"""What a report shows of a scorecard: the card."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from servery.evaluation.figure import Figure
from servery.evaluation.figures import ACCENT, draw
from servery.evaluation.view import Case, View
from servery.models.scorecard import scorecard_of
from servery.tasks.classification import Classification
from servery.tasks.task import LearnableTask

MOST_COLUMNS = 20


class ScorecardView(View):
    """The points of every bin, and which columns decide."""

    name = "scorecard"

    def accepts(self, task: LearnableTask) -> bool:
        """Whether a scorecard may answer it."""
        return isinstance(task, Classification)

    def look(self, case: Case) -> Any:
        """Return the card; nothing of a model that is none."""
        return scorecard_of(case.predictor) or {}

    def figures(self, found: Mapping[str, Any]) -> list[Figure]:
        """Return the card as one figure, or nothing."""
        return [_card(found)] if found else []


def _card(card: Mapping[str, Any]) -> Figure:
    spans: dict[str, list[float]] = {}
    for row in card["rows"]:
        if row["rows"]:
            spans.setdefault(row["column"], []).append(row["points"])
    widths = {column: max(points) - min(points) for column, points in spans.items()}
    ranked = sorted(widths, key=lambda column: -widths[column])[:MOST_COLUMNS]
    best, worst = (card["base"] + sum(choose(points) for points in spans.values()) for choose in (max, min))

    def paint(axes: Any) -> None:
        axes.barh(
            [name[:24] for name in ranked][::-1],
            [widths[name] for name in ranked][::-1],
            left=[min(spans[name]) for name in ranked][::-1],
            color=ACCENT,
            height=0.6,
        )
        axes.set_xlabel("points from the worst to the best bin")

    return Figure(
        "The scorecard",
        f"Everybody starts with {card['base']:.0f} points and gets those of one bin of every column: between "
        f"{worst:.0f} and {best:.0f} in all. {0.6931 * card['factor']:.0f} points more are twice the odds of "
        f"{card['good']}; {card['offset']:.0f} are even odds. {ranked[0]} moves most.",
        draw(paint, 5.2, 0.9 + 0.24 * len(ranked), "scorecard"),
        ("Column", "Values", "Points", "Training rows", f"Share {card['bad']}", "Weight of evidence"),
        tuple(
            (
                row["column"],
                row["condition"],
                f"{row['points']:+.0f}",
                f"{row['rows']:,}",
                f"{row['bad_share']:.1%}" if row["rows"] else "-",
                f"{row['weight_of_evidence']:+.3f}",
            )
            for row in card["rows"]
        ),
    )


SCORECARD = ScorecardView()
