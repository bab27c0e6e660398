"""How a classifier does by sex, age or any other column: figures of each group, and how far the groups lie apart."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np

from servery.data.building import is_missing
from servery.data.columns import Kind
from servery.data.dataset import Dataset
from servery.evaluation import figures
from servery.evaluation.figure import Figure, Key
from servery.evaluation.labels import positive_of
from servery.evaluation.numbers import shown
from servery.evaluation.view import Case, View
from servery.metrics.fairness import fairness_metrics, group_metrics, group_rates
from servery.metrics.resampling import bootstrap
from servery.tasks.classification import Classification
from servery.tasks.label_task import decided
from servery.tasks.task import LearnableTask

LEAST_ROWS = 30
LEAST_OF_A_KIND = 10
"""Positive rows, and others: a group with fewer is marked as small and left out of the gaps."""
MOST_GROUPS = 8
FEW_VALUES = 6
"""A column of numbers with no more of them is a category in disguise."""
NAMES = ("selection_rate", "roc_auc", "sensitivity", "specificity", "ece")
GAPS = {
    "demographic_parity_difference": "demographic parity difference",
    "equalized_odds_difference": "equalized odds difference",
    "impact_ratio": "impact ratio of being said to be it",
    "other_impact_ratio": "of not",
}


class Value(msgspec.Struct, frozen=True):
    """A figure with its 95 % bootstrap interval."""

    value: float
    low: float | None = None
    high: float | None = None


class Group(msgspec.Struct, frozen=True):
    """Rows with one value, or one span of values; figures that are not defined on them are left out."""

    name: str
    rows: int
    positives: int
    is_small: bool
    metrics: dict[str, Value]


class Judged(msgspec.Struct, frozen=True):
    """What was found of one column: its groups, and how far those that are not small lie apart."""

    column: str
    is_input: bool
    groups: list[Group]
    gaps: dict[str, Value]


class Subgroups(msgspec.Struct, frozen=True):
    """The positive label, all test rows, and the columns."""

    label: str
    whole: Group
    columns: list[Judged]


class SubgroupsView(View):
    """Figures by group, with their gaps to the whole."""

    name = "subgroups"

    def accepts(self, task: LearnableTask) -> bool:
        """Whether rows have one label, which a score may decide."""
        return isinstance(task, Classification) and task.has_operating_point

    def look(self, case: Case) -> Subgroups | None:
        """Return the figures of every named column; nothing where none is named or no label is positive."""
        assert isinstance(case.task, Classification)
        calibration, labels = case.predictor.calibration, case.predictor.signature.labels
        names = [name for name in case.subgroups if name in case.test.values]
        if not names or (calibration.operating_point is None and len(labels) != 2):
            return None
        place = positive_of(calibration)
        scores = case.task.scores(case.outputs, calibration)
        rows = np.stack(
            [case.targets == place, scores[:, place], decided(scores, calibration) == place], axis=1
        ).astype(float)  # (rows, 3): positive, score, said
        inputs = {column.name for column in case.predictor.signature.inputs}
        judged = [_judged(case, name, name in inputs, rows) for name in names]
        return Subgroups(
            labels[place], _group("all rows", rows), [column for column in judged if column.groups]
        )

    def figures(self, found: Any) -> list[Figure]:
        """Return one figure a column."""
        if found is None:
            return []
        read = msgspec.convert(found, Subgroups)
        return [_figure(read, column, place) for place, column in enumerate(read.columns)]


def groups_of(test: Dataset, train: Dataset, name: str) -> dict[str, np.ndarray]:
    """Return which test rows make each group of a column, bool, (rows,), by its name.

    Numbers are cut into four spans of as many training rows each; of categories the most frequent are taken.
    """
    values, column = test[name], test.column(name)
    missing = is_missing(values)
    if column.kind is Kind.NUMBER and len(np.unique(values[~missing])) > FEW_VALUES:
        groups = _spans(values, train[name])
    else:
        cells = np.array(["" if gone else _text(value) for value, gone in zip(values, missing, strict=True)])
        known, counts = np.unique(cells[~missing], return_counts=True)
        kept = np.sort(known[np.argsort(-counts, kind="stable")[:MOST_GROUPS]])
        groups = {str(cell): cells == cell for cell in kept}
    groups |= {"missing": missing} if missing.any() else {}
    return {group: rows for group, rows in groups.items() if rows.any()}


def _spans(values: np.ndarray, train: np.ndarray) -> dict[str, np.ndarray]:
    limits = np.unique(np.quantile(train[np.isfinite(train)], [0.25, 0.5, 0.75])).tolist()
    spans = {f"under {shown(limits[0])}": values < limits[0]}
    for low, high in pairwise(limits):
        spans[f"{shown(low)} to under {shown(high)}"] = (values >= low) & (values < high)
    return {**spans, f"{shown(limits[-1])} or more": values >= limits[-1]}


def _text(value: object) -> str:
    return shown(value) if isinstance(value, float) else str(value)


def _judged(case: Case, name: str, is_input: bool, rows: np.ndarray) -> Judged:
    masks = groups_of(case.test, case.train, name)
    groups = [_group(group, rows[mask]) for group, mask in masks.items()]
    compared = {group.name: masks[group.name] for group in groups if not group.is_small}
    return Judged(name, is_input, groups, _gaps(rows, compared))


def _measured(rows: np.ndarray) -> dict[str, float]:
    return group_metrics(rows[:, 0] > 0, rows[:, 1], rows[:, 2] > 0)


def _group(name: str, rows: np.ndarray) -> Group:
    positives = int(rows[:, 0].sum())
    is_small = len(rows) < LEAST_ROWS or min(positives, len(rows) - positives) < LEAST_OF_A_KIND
    intervals = bootstrap(lambda places: _measured(rows[places]), len(rows))
    ends = {metric: (interval.low, interval.high) for metric, interval in intervals.items()}
    metrics = {n: Value(v, *ends.get(n, ())) for n, v in _measured(rows).items() if np.isfinite(v)}
    return Group(name, len(rows), positives, is_small, metrics)


def _gaps(rows: np.ndarray, masks: Mapping[str, np.ndarray]) -> dict[str, Value]:
    if len(masks) < 2:
        return {}
    number = np.full(len(rows), -1)
    for place, mask in enumerate(masks.values()):
        number[mask] = place

    def measure(places: np.ndarray) -> dict[str, float]:
        drawn, of = rows[places], number[places]
        some = {name: drawn[of == place] for place, name in enumerate(masks) if (of == place).any()}
        return fairness_metrics(
            {name: group_rates(part[:, 0] > 0, part[:, 2] > 0) for name, part in some.items()}
        )

    intervals = bootstrap(measure, len(rows))
    ends = {name: (interval.low, interval.high) for name, interval in intervals.items()}
    whole = measure(np.arange(len(rows)))
    return {name: Value(v, *ends.get(name, ())) for name, v in whole.items() if np.isfinite(v)}


def _figure(found: Subgroups, judged: Judged, place: int) -> Figure:
    use = "the model reads it" if judged.is_input else "the model does not read it"
    sentence = f"Of {judged.column} ({use}): {_widest(found, judged)}{_told(judged)}"
    small = [group.name for group in judged.groups if group.is_small]
    if small:
        sentence += (
            f" Marked with *, and not compared, for they are small (under {LEAST_ROWS} rows, or under "
            f"{LEAST_OF_A_KIND} of a kind): {', '.join(small)}."
        )
    groups = [found.whole, *judged.groups]

    def paint(axes: Any) -> None:
        for metric, colour, shift in (
            ("sensitivity", figures.ACCENT, -0.14),
            ("specificity", figures.INK, 0.14),
        ):
            for row, group in enumerate(groups):
                if metric in group.metrics:
                    _bar(axes, group.metrics[metric], row + shift, colour, 0.35 if group.is_small else 1.0)
        axes.set_yticks(range(len(groups)), [figures.short(_marked(group)) for group in groups])
        axes.tick_params(axis="y", length=0, labelcolor=figures.INK)
        axes.set_xlim(-0.01, 1.02)
        axes.set_ylim(len(groups) - 0.5, -0.5)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)

    return Figure(
        f"By {judged.column}",
        sentence,
        figures.draw(paint, 4.8, 0.6 + 0.42 * len(groups), f"subgroups-{place}"),
        (
            judged.column,
            "Rows",
            f"Of them {found.label}",
            f"Said to be {found.label}",
            *("ROC AUC", "Sensitivity", "Specificity", "Calibration error"),
        ),
        tuple(_row(group) for group in groups),
        (Key("sensitivity"), Key("specificity", "ink")),
    )


def _bar(axes: Any, value: Value, height: float, colour: str, alpha: float) -> None:
    if value.low is not None:
        axes.plot([value.low, value.high], [height, height], color=colour, alpha=0.4 * alpha, linewidth=3)
    axes.plot([value.value], [height], color=colour, alpha=alpha, marker="o", markersize=5)


def _marked(group: Group) -> str:
    return f"{group.name} *" if group.is_small else group.name


def _row(group: Group) -> tuple[str, ...]:
    cells = [_cell(group.metrics.get(name)) for name in NAMES]
    return (_marked(group), f"{group.rows:,}", f"{group.positives:,}", *cells)


def _cell(value: Value | None) -> str:
    if value is None:
        return "not defined"
    if value.low is None:
        return f"{value.value:.3f}"
    return f"{value.value:.3f} [{value.low:.3f} to {value.high:.3f}]"


def _widest(found: Subgroups, judged: Judged) -> str:
    gaps = [
        (group.metrics[name].value - found.whole.metrics[name].value, group, name)
        for group in judged.groups
        for name in ("roc_auc", "sensitivity", "specificity")
        if not group.is_small and name in group.metrics and name in found.whole.metrics
    ]
    if not gaps:
        return "every group is too small to be compared with the whole."
    gap, group, name = max(gaps, key=lambda entry: abs(entry[0]))
    words = {"roc_auc": "ROC AUC"}.get(name, name)
    return (
        f"the widest gap to all rows is that of {group.name} in {words}, "
        f"{group.metrics[name].value:.3f} against {found.whole.metrics[name].value:.3f} ({gap:+.3f})."
    )


def _told(judged: Judged) -> str:
    told = [f"{words} {_cell(judged.gaps[name])}" for name, words in GAPS.items() if name in judged.gaps]
    return f" Between the groups: {', '.join(told)}." if told else ""


SUBGROUPS = SubgroupsView()
