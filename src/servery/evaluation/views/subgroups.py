"""How a classifier does by sex, age or any other column: figures of each group, and how far the groups lie apart."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from servery.evaluation import figures
from servery.evaluation.figure import Figure, Key
from servery.evaluation.groups import LEAST_OF_A_KIND, LEAST_ROWS, Group, Judged, Value, group_of, judged_by
from servery.evaluation.labels import positive_of
from servery.evaluation.view import Case, View
from servery.tasks.classification import Classification
from servery.tasks.label_task import decided
from servery.tasks.task import LearnableTask

NAMES = ("selection_rate", "roc_auc", "sensitivity", "specificity", "ece")
GAPS = {
    "demographic_parity_difference": ("Demographic parity difference", "0 is equal"),
    "equalized_odds_difference": ("Equalized odds difference", "0 is equal"),
    "impact_ratio": ("Disparate-impact ratio", "1 is equal, under 0.8 the four-fifths rule is broken"),
    "other_impact_ratio": (
        "The same of the other answer",
        "1 is equal, under 0.8 the four-fifths rule is broken",
    ),
}


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
        judged = [judged_by(case.test, case.train, name, name in inputs, rows) for name in names]
        return Subgroups(
            labels[place], group_of("all rows", rows), [column for column in judged if column.groups]
        )

    def figures(self, found: Any) -> list[Figure]:
        """Return one figure a column, and how alike the groups are treated where there are two to be compared."""
        if found is None:
            return []
        read = msgspec.convert(found, Subgroups)
        shown = []
        for place, column in enumerate(read.columns):
            shown.append(_figure(read, column, place))
            shown += [_fairness(read, column, place)] if column.gaps else []
        return shown


def _figure(found: Subgroups, judged: Judged, place: int) -> Figure:
    use = "the model reads it" if judged.is_input else "the model does not read it"
    sentence = f"Of {judged.column} ({use}): {_widest(found, judged)}"
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


def _fairness(found: Subgroups, judged: Judged, place: int) -> Figure:
    compared = [group for group in judged.groups if not group.is_small]
    rates = [(group.metrics["selection_rate"].value, group.name) for group in compared]
    (least, fewest), (most, oftenest) = min(rates), max(rates)
    ratios = [
        judged.gaps[name].value for name in ("impact_ratio", "other_impact_ratio") if name in judged.gaps
    ]
    sentence = (
        f"{found.label} is said of {most:.1%} of the rows of {oftenest}, and of {least:.1%} of {fewest}. The smaller "
        f"of the two impact ratios is {min(ratios, default=1.0):.3f}; which answer is the favour, the question decides."
    )

    def paint(axes: Any) -> None:
        for row, group in enumerate(compared):
            _bar(axes, group.metrics["selection_rate"], row, figures.ACCENT, 1.0)
        axes.axvline(
            found.whole.metrics["selection_rate"].value,
            color=figures.SOFT,
            linewidth=0.9,
            dashes=figures.CHANCE,
        )
        axes.set_yticks(range(len(compared)), [figures.short(group.name) for group in compared])
        axes.tick_params(axis="y", length=0, labelcolor=figures.INK)
        axes.set_xlim(-0.01, 1.02)
        axes.set_ylim(len(compared) - 0.5, -0.5)
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)

    rows = [(GAPS[name][0], _cell(judged.gaps[name]), GAPS[name][1]) for name in GAPS if name in judged.gaps]
    return Figure(
        f"How alike {judged.column} is treated",
        sentence,
        figures.draw(paint, 4.8, 0.6 + 0.36 * len(compared), f"fairness-{place}"),
        ("Between the groups", "Value, 95 % interval", "To be read"),
        tuple(rows),
        (Key(f"said to be {found.label}"), Key("all rows", "soft", figures.CHANCE)),
    )


SUBGROUPS = SubgroupsView()
