"""What the right to abstain is worth: how right the answers are against how many are given."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from servery.evaluation import figures
from servery.evaluation.figure import Figure, Key
from servery.evaluation.view import Case, View
from servery.metrics.decisions import Counts
from servery.tasks.label_task import LabelTask, decided
from servery.tasks.task import Calibration, LearnableTask

STEPS = 50
"""Thresholds that are looked at, besides the chosen one."""
SHOWN_STEPS = 5
"""Of the table every fifth is shown."""


class AbstentionView(View):
    """Coverage and quality of the answers over the confidence from which a model answers."""

    name = "abstention"

    def accepts(self, task: LearnableTask) -> bool:
        """Whether the task's answers have a confidence."""
        return isinstance(task, LabelTask)

    def look(self, case: Case) -> Any:
        """Return the curve, the chosen threshold and the label of what is outside."""
        task, calibration = case.task, case.predictor.calibration
        assert isinstance(task, LabelTask)
        labels = case.predictor.signature.labels
        thresholds = [*np.linspace(0.0, 1.0, STEPS + 1).round(3).tolist(), calibration.least_confidence]
        return {
            "least_confidence": calibration.least_confidence,
            "outside": labels[calibration.outside] if calibration.outside >= 0 else "",
            "quality": task.quality_title,
            "label": labels[calibration.operating_point.positive] if calibration.operating_point else "",
            "curve": [_point(case, task, calibration, threshold) for threshold in sorted(set(thresholds))],
        }

    def figures(self, found: Any) -> list[Figure]:
        """Return the quality of the answers over their share and, with a label for outside, what it finds of both."""
        shown = [_answered(found)]
        if found["outside"] and "out_of_scope_recall" in found["curve"][0]:
            shown.append(_scope(found))
        if found.get("label") and "answered_sensitivity" in found["curve"][0]:
            shown.append(_mistakes(found))
        return shown


def _point(case: Case, task: LabelTask, calibration: Calibration, threshold: float) -> dict[str, float]:
    # A threshold of 0 is no right to abstain at all, which the metrics leave out: the smallest one stands for it.
    asked = replace(calibration, least_confidence=max(threshold, 1e-9))
    metrics = task.abstention_metrics(case.targets, case.outputs, asked)
    if calibration.operating_point is not None:
        metrics |= _answered_shares(case, task, asked, calibration.operating_point.positive)
    return {"threshold": threshold, **{name: value for name, value in metrics.items() if np.isfinite(value)}}


def _answered_shares(case: Case, task: LabelTask, asked: Calibration, positive: int) -> dict[str, float]:
    scores = task.scores(case.outputs, asked)
    answered = ~task.abstains(scores, asked)
    if not answered.any():
        return {}
    counts = Counts.of(case.targets[answered] == positive, decided(scores[answered], asked) == positive)
    shares = counts.shares()
    return {f"answered_{name}": shares[name] for name in ("sensitivity", "specificity")}


def _chosen(found: Any) -> dict[str, float]:
    point: dict[str, float] = next(p for p in found["curve"] if p["threshold"] == found["least_confidence"])
    return point


def _answered(found: Any) -> Figure:
    curve = [point for point in found["curve"] if "answered_quality" in point]
    whole, chosen = curve[0], _chosen(found)
    sentence = f"Answering every row, the {found['quality']} is {whole['answered_quality']:.3f}. "
    if found["least_confidence"] > 0 and "answered_quality" in chosen:
        sentence += (
            f"The model abstains below a confidence of {found['least_confidence']:.2f}, chosen on validation by what "
            f"abstaining costs against a mistake: it answers {chosen['coverage']:.0%} of the rows, and of these it "
            f"is {chosen['answered_quality']:.3f}."
        )
    elif found["outside"]:
        sentence += f"It abstains where {found['outside']} is the best label; on validation more never paid."
    else:
        sentence += (
            "On validation abstaining never paid, so it answers all; a caller may still ask it to abstain."
        )

    def paint(axes: Any) -> None:
        axes.plot(
            [p["coverage"] for p in curve], [p["answered_quality"] for p in curve], color=figures.ACCENT
        )
        if "answered_quality" in chosen:
            axes.plot(
                [chosen["coverage"]],
                [chosen["answered_quality"]],
                color=figures.INK,
                marker="o",
                markersize=6,
            )
        axes.set_xlim(-0.01, 1.01)
        axes.set_xlabel("share of rows answered")
        axes.set_ylabel("quality of the answers")

    names = ("coverage", "answered_quality")
    return Figure(
        "What abstaining is worth",
        sentence,
        figures.draw(paint, 3.9, 3.0, "abstention"),
        ("Confidence from", "Rows answered", "Quality of the answers"),
        _rows(curve, names),
        (Key("thresholds from 0 to 1"), Key("dot: the chosen one", "ink")),
    )


def _scope(found: Any) -> Figure:
    curve, chosen = found["curve"], _chosen(found)
    names = ("in_scope_accuracy", "out_of_scope_recall")
    sentence = (
        f"Of the rows that a label fits {chosen['in_scope_accuracy']:.1%} are answered rightly; of those that none "
        f"fits ({found['outside']}) the model leaves {chosen['out_of_scope_recall']:.1%} unanswered."
    )
    places = [point["threshold"] for point in curve]

    def paint(axes: Any) -> None:
        for place, name in enumerate(names):
            colour = figures.INK if place else figures.ACCENT
            axes.plot(places, [point[name] for point in curve], color=colour, dashes=figures.DASHES[place])
        axes.axvline(found["least_confidence"], color=figures.SOFT, linewidth=0.9, dashes=figures.CHANCE)
        axes.set_xlim(-0.01, 1.01)
        axes.set_ylim(-0.01, 1.03)
        axes.set_xlabel("confidence from which it answers")

    return Figure(
        "Rows that no label fits",
        sentence,
        figures.draw(paint, 3.9, 3.0, "scope"),
        ("Confidence from", "Inside, answered rightly", "Outside, not answered"),
        _rows(curve, names),
        (
            Key("inside, answered rightly"),
            Key("outside, not answered", "ink", figures.DASHES[1]),
            Key("the chosen threshold", "soft", figures.CHANCE),
        ),
    )


def _mistakes(found: Any) -> Figure:
    names = ("answered_sensitivity", "answered_specificity")
    curve = [point for point in found["curve"] if all(name in point for name in names)]
    whole, half = curve[0], min(curve, key=lambda point: abs(point["coverage"] - 0.8))
    sentence = (
        f"Answering every row, the sensitivity for {found['label']} is {whole[names[0]]:.3f} and the specificity "
        f"{whole[names[1]]:.3f}; of the {half['coverage']:.0%} of the rows that it is surest of, "
        f"{half[names[0]]:.3f} and {half[names[1]]:.3f}. Sure is where a mistake is expected to cost little."
    )

    def paint(axes: Any) -> None:
        for place, name in enumerate(names):
            colour = figures.INK if place else figures.ACCENT
            x = [point["coverage"] for point in curve]
            axes.plot(x, [point[name] for point in curve], color=colour, dashes=figures.DASHES[place])
        axes.set_xlim(-0.01, 1.01)
        axes.set_ylim(-0.01, 1.03)
        axes.set_xlabel("share of rows answered")

    return Figure(
        "Which mistakes abstaining avoids",
        sentence,
        figures.draw(paint, 3.9, 3.0, "abstention-mistakes"),
        ("Confidence from", "Rows answered", "Sensitivity", "Specificity"),
        _rows(curve, ("coverage", *names)),
        (Key("sensitivity"), Key("specificity", "ink", figures.DASHES[1])),
    )


def _rows(curve: list[dict[str, float]], names: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (f"{point['threshold']:.2f}", *(f"{point[name]:.3f}" for name in names))
        for point in curve[::SHOWN_STEPS]
    )


ABSTENTION = AbstentionView()
