"""What a report shows of forecasts: the error by step beside the naive ones, bands, and some series with theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from servery.data.columns import Kind
from servery.data.series import unpack
from servery.evaluation import figures
from servery.evaluation.figure import Figure, Key
from servery.evaluation.numbers import shown
from servery.evaluation.view import Case, View
from servery.metrics.intervals import COVERAGES, PROMISED
from servery.tasks.forecasting import Forecasting, half_widths, readings_in
from servery.tasks.task import LearnableTask

SEASON = 24
"""Readings of a season that the naive forecast repeats: hours of a day."""
SHOWN_PAST = 48
QUALITIES = ("best", "median", "worst")
TABLE_STEPS = 12


class Forecasts(View):
    """The horizon curve, coverage by step, and forecasts from the best to the worst."""

    name = "forecasts"

    def accepts(self, task: LearnableTask) -> bool:
        """Whether the task is forecasting."""
        return isinstance(task, Forecasting)

    def look(self, case: Case) -> dict[str, Any]:
        """Return errors by step of the model and of the naive forecasts, coverages, and some rows."""
        said, truth = readings_in(case.outputs), case.targets
        series = next(c.name for c in case.test.inputs if c.kind is Kind.SERIES)
        past = [unpack(cell).astype(np.float64) for cell in case.test[series]]
        steps = truth.shape[1]
        errors = {"this model": _by_step(truth, said), "last reading": _by_step(truth, _last(past, steps))}
        if min(map(len, past)) >= SEASON:
            errors["a season before"] = _by_step(truth, _season(past, steps))
        quality = case.task.quality(truth, case.outputs, case.predictor.calibration)
        order = np.argsort(-quality, kind="stable")
        chosen = order[[len(order) // 20, len(order) // 2, len(order) - 1 - len(order) // 20]]
        half = half_widths(case.outputs, case.predictor.calibration, PROMISED)
        return {
            "series": series,
            "errors": errors,
            "coverage": _coverage(case) if half is not None else {},
            "rows": [
                {
                    "line": int(case.test.line_numbers[row]),
                    "past": _plain(past[row][-SHOWN_PAST:]),
                    "truth": _plain(truth[row]),
                    "said": _plain(said[row]),
                    "half": [] if half is None else _plain(half[row]),
                }
                for row in chosen.tolist()
            ],
        }

    def figures(self, found: Mapping[str, Any]) -> list[Figure]:
        """Return the figures of what `look` found."""
        coverage = [_coverage_figure(found["coverage"])] if found["coverage"] else []
        return [_horizon(found["errors"], found["series"]), *coverage, *map(_row, found["rows"], QUALITIES)]


def _last(past: list[np.ndarray], steps: int) -> np.ndarray:
    known = [row[np.isfinite(row)] for row in past]
    return np.array([[row[-1] if len(row) else np.nan] * steps for row in known])


def _season(past: list[np.ndarray], steps: int) -> np.ndarray:
    return np.array([np.resize(row[-SEASON:], steps) for row in past])


def _by_step(truth: np.ndarray, said: np.ndarray) -> list[float]:
    errors = np.abs(truth - said)
    known = np.isfinite(errors)
    sums = np.where(known, errors, 0.0).sum(axis=0)
    means: list[float] = (sums / np.maximum(known.sum(axis=0), 1)).tolist()
    return means


def _coverage(case: Case) -> dict[str, Any]:
    """Return the share that bands hold by promised share, and by step at the usual one."""
    errors, known = np.abs(case.targets - readings_in(case.outputs)), np.isfinite(case.targets)
    held, by_step = [], []
    for promised in COVERAGES:
        half = half_widths(case.outputs, case.predictor.calibration, promised)
        assert half is not None
        within = (errors <= half) & known
        held.append(float(within.sum() / known.sum()))
        if promised == PROMISED:
            by_step = (within.sum(axis=0) / np.maximum(known.sum(axis=0), 1)).tolist()
    return {"held": held, "by_step": by_step}


def _plain(values: np.ndarray) -> list[float | None]:
    return [round(float(value), 4) if np.isfinite(value) else None for value in values]


def _horizon(errors: Mapping[str, list[float]], series: str) -> Figure:
    own = np.array(errors["this model"])
    naive = np.min([values for name, values in errors.items() if name != "this model"], axis=0)
    steps = np.arange(1, len(own) + 1)
    share = 1 - own / np.maximum(naive, 1e-12)
    best, worst = int(share.argmax()), int(share.argmin())

    def paint(axes: Any) -> None:
        for place, (name, values) in enumerate(errors.items()):
            colour = figures.ACCENT if name == "this model" else figures.SOFT
            axes.plot(steps, values, color=colour, dashes=figures.DASHES[place])
        axes.set_ylim(0)
        axes.set_xlabel("steps ahead")
        axes.set_ylabel(f"mean error, {series}")

    names = list(errors)
    places = np.unique(np.linspace(0, len(own) - 1, TABLE_STEPS).round().astype(int)).tolist()
    return Figure(
        "Error by step, beside the naive forecasts",
        f"{steps[best]} step(s) ahead the error is {share[best]:.0%} below the better naive forecast, the most of all "
        f"steps; the least is {share[worst]:.0%}, {steps[worst]} ahead.",
        figures.draw(paint, 5.2, 3.4, "horizon"),
        ("Steps ahead", *(name.capitalize() for name in names), "Below the better naive one"),
        tuple(
            (f"{steps[p]}", *(shown(errors[name][p]) for name in names), f"{share[p]:.1%}") for p in places
        ),
        tuple(
            Key(name, "accent" if name == "this model" else "soft", figures.DASHES[place])
            for place, name in enumerate(names)
        ),
    )


def _coverage_figure(coverage: Mapping[str, Any]) -> Figure:
    held, by_step = np.array(coverage["held"]), coverage["by_step"]
    farthest = int(np.abs(held - COVERAGES).argmax())

    def paint(axes: Any) -> None:
        axes.plot([0.4, 1], [0.4, 1], color=figures.SOFT, dashes=figures.CHANCE, linewidth=1)
        axes.plot(COVERAGES, held, "o-", color=figures.INK, markersize=4)
        axes.set_xlabel("promised share")
        axes.set_ylabel("share that held")

    return Figure(
        "Do the bands hold what they promise?",
        f"Bands made for {COVERAGES[farthest]:.0%} of the readings held {held[farthest]:.1%}: no other share is "
        f"farther from its promise. Of those for {PROMISED:.0%} the first step held {by_step[0]:.1%}, the last "
        f"{by_step[-1]:.1%}.",
        figures.draw(paint, 5.2, 3.4, "bands"),
        ("Promised", "Held"),
        tuple((f"{p:.0%}", f"{h:.1%}") for p, h in zip(COVERAGES, held.tolist(), strict=True)),
        (Key("as promised", "soft", figures.CHANCE),),
    )


def _row(row: Mapping[str, Any], quality: str) -> Figure:
    past, truth, said, half = (np.array(row[name], np.float64) for name in ("past", "truth", "said", "half"))
    before, ahead = np.arange(1 - len(past), 1), np.arange(1, len(truth) + 1)

    def paint(axes: Any) -> None:
        if len(half):
            axes.fill_between(ahead, said - half, said + half, color=figures.ACCENT, alpha=0.18, linewidth=0)
        axes.plot(before, past, color=figures.SOFT)
        axes.plot(ahead, truth, color=figures.INK, dashes=figures.DASHES[1])
        axes.plot(ahead, said, color=figures.ACCENT)
        axes.set_xlabel("steps from now")

    error = float(np.nanmean(np.abs(truth - said)))
    return Figure(
        f"A forecast among the {quality}",
        f"Line {row['line']}: on average {shown(error)} from what came.",
        figures.draw(paint, 5.2, 3.0, f"forecast-{quality}"),
        ("Steps ahead", "Came", "Said"),
        tuple((f"{s}", shown(t), shown(v)) for s, t, v in zip(ahead.tolist(), truth, said, strict=True)),
        (
            Key("past", "soft"),
            Key("what came", "ink", figures.DASHES[1]),
            Key(f"forecast, band for {PROMISED:.0%}"),
        ),
    )


FORECASTS = Forecasts()
