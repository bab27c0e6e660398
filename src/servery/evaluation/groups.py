"""Rows of a test part in groups by a column: how a decision does on each, and how far the groups lie apart."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import msgspec
import numpy as np

from servery.data.building import is_missing
from servery.data.columns import Kind
from servery.data.dataset import Dataset
from servery.evaluation.numbers import shown
from servery.metrics.fairness import fairness_metrics, group_metrics, group_rates
from servery.metrics.resampling import bootstrap

LEAST_ROWS = 30
LEAST_OF_A_KIND = 10
"""Positive rows, and others: a group with fewer is marked as small and left out of the gaps."""
MOST_GROUPS = 8
FEW_VALUES = 6
"""A column of numbers with no more of them is a category in disguise."""


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


def judged_by(test: Dataset, train: Dataset, name: str, is_input: bool, rows: np.ndarray) -> Judged:
    """Return the figures of every group of a column, and how far those that are not small lie apart.

    Args:
        test: Rows that were judged.
        train: Rows learned from: numbers are cut where they lie.
        name: Of the column.
        is_input: Whether the model reads it.
        rows: Whether each is positive, its score and whether it was said to be, float64, (rows, 3).
    """
    masks = groups_of(test, train, name)
    groups = [group_of(group, rows[mask]) for group, mask in masks.items()]
    compared = {group.name: masks[group.name] for group in groups if not group.is_small}
    return Judged(name, is_input, groups, _gaps(rows, compared))


def _measured(rows: np.ndarray) -> dict[str, float]:
    return group_metrics(rows[:, 0] > 0, rows[:, 1], rows[:, 2] > 0)


def group_of(name: str, rows: np.ndarray) -> Group:
    """Return the figures of one group, with intervals; `rows` as in `judged_by`."""
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
