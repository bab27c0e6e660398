"""What deciding from a score on is worth: the chosen operating point, the decision curve, costs and profits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import msgspec
import numpy as np

from servery.evaluation import figures
from servery.evaluation.figure import Figure, Key
from servery.evaluation.labels import positive_of
from servery.evaluation.view import Case, View
from servery.metrics.decisions import Counts
from servery.metrics.resampling import bootstrap
from servery.tasks.classification import Classification
from servery.tasks.operating_point import OperatingPoint
from servery.tasks.task import LearnableTask

THRESHOLDS = np.arange(1, 100) / 100
SHOWN_STEPS = 10
"""Of the tables every tenth threshold is shown."""
SHORTEST_RUN = 3
TITLES = {
    "sensitivity": "sensitivity",
    "specificity": "specificity",
    "positive_predictive_value": "positive predictive value",
    "negative_predictive_value": "negative predictive value",
}


class Share(msgspec.Struct, frozen=True):
    """A share of the test rows at the operating point, with its 95 % bootstrap interval; None where undefined."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None


class Decisions(msgspec.Struct, frozen=True):
    """What the view found; the curves are over `THRESHOLDS`.

    Attributes:
        label: The positive one.
        rows: Test rows.
        positives: Of them with the label.
        point: The operating point's fields; None where none was asked for.
        shares: Its figures.
        sensitivity: Share of positive rows found; None without any.
        specificity: Share of the others left alone.
        net_benefit: Of acting on the model's scores, as a share of all rows.
        cost: What a row costs on average; empty where nobody said what mistakes cost.
        profit: What a row earns on average, likewise.
    """

    label: str
    rows: int
    positives: int
    point: dict[str, Any] | None
    shares: list[Share]
    sensitivity: list[float]
    specificity: list[float]
    net_benefit: list[float]
    cost: list[float] = []
    profit: list[float] = []


class DecisionsView(View):
    """The line a model draws, and what other lines would give."""

    name = "decisions"

    def accepts(self, task: LearnableTask) -> bool:
        """Whether rows have one label, which a score may decide."""
        return isinstance(task, Classification) and task.has_operating_point

    def look(self, case: Case) -> Decisions | None:
        """Return the curves of the positive label; nothing where no label is, or all rows are of one kind."""
        assert isinstance(case.task, Classification)
        calibration, labels = case.predictor.calibration, case.predictor.signature.labels
        point = calibration.operating_point
        place = positive_of(calibration)
        is_positive = case.targets == place
        if (point is None and len(labels) != 2) or is_positive.all() or not is_positive.any():
            return None
        scores = case.task.scores(case.outputs, calibration)[:, place]
        counts = Counts.at(is_positive, scores, THRESHOLDS)
        return Decisions(
            label=labels[place],
            rows=len(is_positive),
            positives=int(is_positive.sum()),
            point=asdict(point) if point else None,
            shares=_shares(is_positive, scores >= point.threshold) if point else [],
            sensitivity=_rounded(counts.sensitivity),
            specificity=_rounded(counts.specificity),
            net_benefit=_rounded(counts.net_benefit(THRESHOLDS)),
            **_money(counts, point),
        )

    def figures(self, found: Any) -> list[Figure]:
        """Return the operating point, the decision curve, and what mistakes cost if that was said."""
        if found is None:
            return []
        read = msgspec.convert(found, Decisions)
        point = OperatingPoint(**read.point) if read.point else None
        shown = [_at_the_point(read, point)] if point else []
        shown.append(_decision_curve(read, point))
        if point and (read.cost or read.profit):
            shown.append(_money_curve(read, point))
        return shown


def _shares(is_positive: np.ndarray, said: np.ndarray) -> list[Share]:
    whole = Counts.of(is_positive, said).shares()
    found = bootstrap(lambda rows: Counts.of(is_positive[rows], said[rows]).shares(), len(said))
    ends = {name: (found[name].low, found[name].high) for name in found}
    return [
        Share(name, value, *ends.get(name, ())) if np.isfinite(value) else Share(name, None)
        for name, value in whole.items()
    ]


def _money(counts: Counts, point: OperatingPoint | None) -> dict[str, list[float]]:
    if point is None or point.costs is None:
        return {}
    if point.earns:
        profit = counts.mean_profit(point.goal["acceptance_gain"], point.goal["acceptance_loss"])
        return {"profit": _rounded(profit)}
    return {"cost": _rounded(counts.mean_cost(*point.costs))}


def _rounded(values: np.ndarray) -> list[float]:
    rounded: list[float] = np.round(values, 6).tolist()
    return rounded


def _at_the_point(found: Decisions, point: OperatingPoint) -> Figure:
    why = f"chosen on validation for {point.words}" if point.words else "no goal was stated"
    few = f"{point.positives:,} validation rows with it and {point.negatives:,} without"
    parts = [f"{TITLES[share.name]} {_interval(share)}" for share in found.shares]
    sentence = (
        f"{found.label} is said from a score of {point.threshold:.3f} on ({why}, {few}). On the "
        f"{found.rows:,} test rows, {found.positives:,} of them {found.label}: {', '.join(parts)}."
    )

    def paint(axes: Any) -> None:
        axes.plot(THRESHOLDS, found.sensitivity, color=figures.ACCENT)
        axes.plot(THRESHOLDS, found.specificity, color=figures.INK, dashes=figures.DASHES[1])
        _mark(axes, point)
        axes.set_ylim(-0.01, 1.03)
        axes.set_xlabel(f"score from which {figures.short(found.label)} is said")

    rows = tuple(
        (f"{t:.2f}", f"{a:.3f}", f"{b:.3f}")
        for t, a, b in _every(THRESHOLDS.tolist(), found.sensitivity, found.specificity)
    )
    return Figure(
        "The operating point",
        sentence,
        figures.draw(paint, 3.9, 3.0, "operating-point"),
        ("Score from", "Sensitivity", "Specificity"),
        rows,
        (Key("sensitivity"), Key("specificity", "ink", figures.DASHES[1]), _CHOSEN),
    )


_CHOSEN = Key("the chosen point", "soft", figures.CHANCE)


def _interval(share: Share) -> str:
    if share.value is None:
        return "not defined"
    if share.low is None or share.high is None:
        return f"{share.value:.3f}"
    return f"{share.value:.3f} [{share.low:.3f} to {share.high:.3f}]"


def _mark(axes: Any, point: OperatingPoint | None) -> None:
    axes.set_xlim(-0.01, 1.01)
    if point is not None:
        axes.axvline(point.threshold, color=figures.SOFT, linewidth=0.9, dashes=figures.CHANCE)


def _decision_curve(found: Decisions, point: OperatingPoint | None) -> Figure:
    share = found.positives / found.rows
    everyone = share - (1 - share) * THRESHOLDS / (1 - THRESHOLDS)
    model = np.array(found.net_benefit)
    useful = THRESHOLDS[(model > everyone + 1e-5) & (model > 1e-5)]
    sentence = (
        "Acting on the scores beats both acting on every row and on none for chances "
        f"{_spans(useful)}. Net benefit counts rows rightly acted on, less those wrongly, weighed by the odds of the "
        "chance from which one acts; of a perfect model it would be "
        f"{share:.3f}."
        if len(useful)
        else "At no chance does acting on the scores beat acting on every row or on none."
    )

    def paint(axes: Any) -> None:
        axes.plot(THRESHOLDS, everyone, color=figures.INK, dashes=figures.DASHES[1])
        axes.axhline(0.0, color=figures.INK, linewidth=1.2, dashes=figures.DASHES[2])
        axes.plot(THRESHOLDS, model, color=figures.ACCENT)
        _mark(axes, point)
        axes.set_ylim(-0.12 * share, 1.08 * share)
        axes.set_xlabel("chance from which one acts")
        axes.set_ylabel("net benefit")

    rows = tuple(
        (f"{t:.2f}", f"{a:.4f}", f"{b:.4f}", "0")
        for t, a, b in _every(THRESHOLDS.tolist(), found.net_benefit, everyone.tolist())
    )
    keys = (
        Key("the model"),
        Key("every row", "ink", figures.DASHES[1]),
        Key("none", "ink", figures.DASHES[2]),
    )
    return Figure(
        f"Decision curve of {found.label}",
        sentence,
        figures.draw(paint, 4.4, 3.2, "decision-curve"),
        ("Chance", "The model", "Every row", "None"),
        rows,
        (*keys, _CHOSEN) if point else keys,
    )


def _money_curve(found: Decisions, point: OperatingPoint) -> Figure:
    values = np.array(found.profit or found.cost)
    best = int(values.argmax() if found.profit else values.argmin())
    noun, verb = ("profit", "earns") if found.profit else ("cost", "costs")
    at_point = float(np.interp(point.threshold, THRESHOLDS, values))
    none, everyone = float(values[-1]), float(values[0])
    sentence = (
        f"At the chosen point a test row {verb} about {at_point:.4g} on average; said of no row it would be "
        f"{none:.4g}, of nearly every row {everyone:.4g}. On these rows {THRESHOLDS[best]:.2f} would have been best "
        f"({values[best]:.4g}), which nobody could know before."
    )

    def paint(axes: Any) -> None:
        axes.plot(THRESHOLDS, values, color=figures.ACCENT)
        _mark(axes, point)
        axes.set_xlabel(f"score from which {figures.short(found.label)} is said")
        axes.set_ylabel(f"{noun} of a row")

    rows = tuple((f"{t:.2f}", f"{v:.4g}") for t, v in _every(THRESHOLDS.tolist(), values.tolist()))
    return Figure(
        f"What a threshold {verb}",
        sentence,
        figures.draw(paint, 3.9, 3.0, "money"),
        ("Score from", f"{noun.capitalize()} of a row"),
        rows,
        (Key(noun), _CHOSEN),
    )


def _every(*columns: Sequence[float]) -> list[tuple[float, ...]]:
    return list(zip(*(column[SHOWN_STEPS - 1 :: SHOWN_STEPS] for column in columns), strict=True))


def _spans(places: np.ndarray) -> str:
    """Return runs of thresholds in words; single ones are noise beside longer runs.

    >>> _spans(np.array([0.1, 0.11, 0.12, 0.3, 0.5, 0.51, 0.52]))
    'from 0.10 to 0.12, and from 0.50 to 0.52'
    """
    runs = np.split(places, np.flatnonzero(np.diff(places) > 0.015) + 1)
    runs = [run for run in runs if len(run) >= SHORTEST_RUN] or runs
    named = [f"from {r[0]:.2f} to {r[-1]:.2f}" if len(r) > 1 else f"{r[0]:.2f}" for r in runs]
    return ", and ".join(named[:3]) + (" and elsewhere" if len(named) > 3 else "")


DECISIONS = DecisionsView()
