"""Looks for columns that give a number away: copies of it, and later values of it in earlier rows."""

from __future__ import annotations

import numpy as np

from servery.data.columns import Column, Kind, Role
from servery.data.dataset import Dataset
from servery.data.finding import Finding, percent

_CERTAIN, _SUSPECT = 0.9995, 0.995
"""Share of the target's variance that neighbours in one column alone explain. Measured on honest tables: the best
column reaches .86 on bike-sharing-hourly, .95 on building-energy, .35 on airfoil-self-noise."""
_LEAST_ROWS = 50
MOST_STEPS_AHEAD = 48
"""Steps that a column is looked for to be ahead of the target: two days of hours."""
_EQUAL_SHARE = 0.95


def find_number_leaks(dataset: Dataset) -> list[Finding]:
    """Return the columns of numbers that tell a target of numbers before it is known."""
    findings: list[Finding] = []
    if dataset.target.kind is not Kind.NUMBER or len(dataset) < _LEAST_ROWS:
        return findings
    target = np.asarray(dataset[dataset.target.name], np.float64)
    if np.nanstd(target) == 0:
        return findings
    order = _time_order(dataset)
    for column in dataset.inputs:
        if column.kind is Kind.NUMBER:
            values = np.asarray(dataset[column.name], np.float64)
            ahead = 0 if order is None else steps_ahead(values[order], target[order])
            findings += _ahead(dataset, column, ahead) if ahead else _copy(dataset, column, values, target)
    return findings


def explained_alone(values: np.ndarray, target: np.ndarray) -> float:
    """Return the share of the target's variance that the rows nearest in one column explain, at most 1.

    Each row is guessed as the mean of those before and after it in the column's order, itself left out, so that
    any curve is found and rare values do not guess themselves.

    Args:
        values: A column of numbers, (rows,).
        target: Numbers, (rows,).

    >>> x = np.linspace(0, 3, 200)
    >>> explained_alone(x, np.sin(3 * x)) > 0.99
    True
    """
    present = np.isfinite(values) & np.isfinite(target)
    if present.sum() < _LEAST_ROWS or present.mean() < 0.5:
        return 0.0
    x, y = values[present], target[present]
    # Equal values have no order of their own: their mean is all the column says, so it says little where they differ.
    _, places, counts = np.unique(x, return_inverse=True, return_counts=True)
    if counts.max() > 1:
        sums = np.bincount(places, y)
        others = (sums[places] - y) / np.maximum(counts[places] - 1, 1)
        guessed = np.where(counts[places] > 1, others, _beside(x, y))
    else:
        guessed = _beside(x, y)
    return 1.0 - float(((y - guessed) ** 2).mean() / y.var())


def steps_ahead(values: np.ndarray, target: np.ndarray) -> int:
    """Return by how many rows a column runs ahead of the target, 0 where it does not.

    Args:
        values: A column of numbers in the order of time, (rows,).
        target: The target in the same order, (rows,).

    >>> target = np.random.default_rng(0).normal(size=200)
    >>> steps_ahead(np.roll(target, -3), target)
    3
    """
    for steps in range(1, min(MOST_STEPS_AHEAD, len(target) - _LEAST_ROWS) + 1):
        later, said = target[steps:], values[:-steps]
        known = np.isfinite(later) & np.isfinite(said)
        # A target that stands still equals its own future.
        moves = known & (later != target[:-steps])
        if moves.sum() >= _LEAST_ROWS // 2 and (later == said)[moves].mean() >= _EQUAL_SHARE:
            return steps
    return 0


def _beside(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the mean target of the neighbours on one line through the nearest on both sides, (rows,)."""
    order = np.argsort(x, kind="stable")
    padded = np.pad(y[order], 1, mode="reflect")
    guessed = np.empty(len(y))
    guessed[order] = (padded[:-2] + padded[2:]) / 2
    return guessed


def _time_order(dataset: Dataset) -> np.ndarray | None:
    time = next((c for c in dataset.columns if c.role is Role.TIME), None)
    return None if time is None else np.argsort(dataset[time.name], kind="stable")


def _ahead(dataset: Dataset, column: Column, steps: int) -> list[Finding]:
    message = (
        f"The column {column.name!r} holds the target {dataset.target.name!r} of {steps} row(s) later: "
        "it is not known yet when the row is asked."
    )
    return [Finding("future_column", "error", message, column.name, is_leak=True)]


def _copy(dataset: Dataset, column: Column, values: np.ndarray, target: np.ndarray) -> list[Finding]:
    share, name = explained_alone(values, target), dataset.target.name
    if share >= _CERTAIN:
        message = (
            f"The column {column.name!r} alone explains {percent(share)} of the target {name!r}: "
            "it is most likely written after the answer was known."
        )
        return [Finding("target_copy", "error", message, column.name, is_leak=True)]
    if share >= _SUSPECT:
        message = (
            f"The column {column.name!r} alone explains {percent(share)} of the target {name!r}: "
            "is it known beforehand?"
        )
        return [Finding("leak_suspect", "warning", message, column.name)]
    return []
