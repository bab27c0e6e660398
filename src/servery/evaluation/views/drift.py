"""What a report shows of drift: how far the test part is from what the model learned from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from servery.evaluation.drift import drifts
from servery.evaluation.figure import Figure, Key
from servery.evaluation.figures import ACCENT, CHANCE, INK, SOFT, draw
from servery.evaluation.view import Case, View
from servery.metrics.stability import MOVED, SHIFTED
from servery.tasks.task import LearnableTask

MOST_SHOWN = 20


class DriftView(View):
    """The population stability index of the score and of each column, test part against training part."""

    name = "drift"

    def accepts(self, task: LearnableTask) -> bool:
        """Whether there may be numbers or categories: `look` finds none of models of texts and pictures."""
        return True

    def look(self, case: Case) -> dict[str, Any]:
        """Return the drift of the score and of the columns; nothing of a model without a profile."""
        if case.predictor.signature.profile is None:
            return {}
        found = drifts(case.predictor, list(case.test.examples()), case.outputs)
        return {"rows": len(case.test), "drifts": found}

    def figures(self, found: Mapping[str, Any]) -> list[Figure]:
        """Return one figure, or none."""
        return [_stability(found["rows"], found["drifts"])] if found.get("drifts") else []


def _stability(rows: int, found: list[Mapping[str, Any]]) -> Figure:
    shown = found[:MOST_SHOWN]
    moved = [drift for drift in found if drift["verdict"] != "stable"]
    sentence = (
        f"All {len(found)} are stable between training and the {rows:,} test rows: below {SHIFTED}, or less than "
        "twice what chance alone gives."
    )
    if moved:
        worst = max(moved, key=lambda drift: float(drift["index"]))
        sentence = (
            f"{len(moved)} of {len(found)} changed between training and the {rows:,} test rows; {worst['name']} most, "
            f"with an index of {worst['index']:.2f}: {worst['share']:.0%} of the rows are {worst['most_changed']}, "
            f"there were {worst['known_share']:.0%}."
        )

    def paint(axes: Any) -> None:
        names = [str(drift["name"])[:24] for drift in shown][::-1]
        axes.barh(names, [drift["index"] for drift in shown][::-1], color=ACCENT, height=0.6)
        axes.plot([drift["by_chance"] for drift in shown][::-1], names, "o", color=INK, markersize=4)
        for limit in (SHIFTED, MOVED):
            axes.axvline(limit, color=SOFT, dashes=CHANCE, linewidth=1)
        axes.set_xlabel("population stability index")

    return Figure(
        "Do the test rows look like the training rows?",
        sentence,
        draw(paint, 5.2, 0.9 + 0.24 * len(shown), "drift"),
        ("Column", "Index", "By chance", "Verdict", "Changed most", "Then", "Now"),
        tuple(
            (
                str(drift["name"]),
                f"{drift['index']:.3f}",
                f"{drift['by_chance']:.3f}",
                str(drift["verdict"]),
                str(drift["most_changed"]),
                f"{drift['known_share']:.1%}",
                f"{drift['share']:.1%}",
            )
            for drift in shown
        ),
        (Key(f"limits {SHIFTED} and {MOVED}", "soft", CHANCE), Key("dot: mean by chance alone", "ink")),
    )


DRIFT = DriftView()
