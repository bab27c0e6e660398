"""Looks for columns that give the answer away: a score on such data says nothing about new rows."""

from __future__ import annotations

import re

import numpy as np

from servery.data.building import is_missing
from servery.data.columns import Column, Kind, Role
from servery.data.dataset import Dataset
from servery.data.finding import Finding, counted, first_lines, in_lines, percent

_CERTAIN, _SUSPECT = 0.998, 0.97
"""Mean recall of one column alone. Measured on honest tables (`recall_alone`): the best column reaches 0.94 on iris,
0.92 on breast cancer, 0.76 on heart disease, 0.69 on the Taiwan credit data; the light of an occupied office 0.99."""
_LEAST_ROWS_OF_A_CLASS = 5
_BINS = 64


def find_leaks(dataset: Dataset) -> list[Finding]:
    """Return what gives the target away: copies of it, columns named like it, columns filled for one class only."""
    findings = _groups_across_parts(dataset)
    if dataset.target.kind is not Kind.CATEGORY:
        return findings
    classes = np.unique(dataset[dataset.target.name].astype(str), return_inverse=True)[1]
    if classes.max() == 0:
        return findings
    for column in dataset.inputs:
        if column.kind is Kind.TEXT:
            findings += _label_within_text(dataset, column, classes)
        elif column.kind in (Kind.NUMBER, Kind.CATEGORY, Kind.TIME):
            findings += _filled_for_one_class(dataset, column, classes) or _copy(dataset, column, classes)
    return findings


def recall_alone(values: np.ndarray, classes: np.ndarray) -> float:
    """Return the mean recall of guessing the class from one column alone, from 0 to 1.

    Each row is guessed as the most common class among the other rows of its value (numbers: of its 64th part of
    the rows, or of its side of the best single threshold), so that rare values do not guess themselves.

    Args:
        values: A column, (rows,).
        classes: Class of each row, from 0, int64, (rows,).
    """
    bins = _bins(values)
    table = np.zeros((int(bins.max()) + 1, int(classes.max()) + 1), dtype=np.int64)
    np.add.at(table, (bins, classes), 1)
    others = table[bins]  # (rows, classes)
    others[np.arange(len(classes)), classes] -= 1
    # A tie counts as a miss: nothing but the row itself would decide it.
    own = others[np.arange(len(classes)), classes].copy()
    others[np.arange(len(classes)), classes] = -1
    right = own > np.maximum(others.max(axis=1), 0)
    recall = float(np.mean([right[classes == c].mean() for c in range(int(classes.max()) + 1)]))
    return max(recall, _best_threshold(values, classes))


def _bins(values: np.ndarray) -> np.ndarray:
    if values.dtype == object:
        numbers: dict[object, int] = {}
        return np.fromiter(
            (numbers.setdefault(v, len(numbers)) for v in values), dtype=np.int64, count=len(values)
        )
    numeric = np.where(is_missing(values), np.nan, values.astype(np.float64))
    distinct = np.unique(numeric)
    if len(distinct) > _BINS:
        distinct = np.unique(np.nanquantile(numeric, np.linspace(0, 1, _BINS)))
    return np.searchsorted(distinct, numeric)


def _best_threshold(values: np.ndarray, classes: np.ndarray) -> float:
    """Return the mean recall of the best cut of a number column between two classes; 0 where there is none."""
    if values.dtype == object or classes.max() != 1:
        return 0.0
    present = ~is_missing(values)
    numeric, present_classes = values[present].astype(np.float64), classes[present]
    order = np.argsort(numeric, kind="stable")
    ones = np.cumsum(present_classes[order])
    place = np.arange(1, len(order) + 1)
    is_cut = np.append(np.diff(numeric[order]) > 0, False)
    if not is_cut.any():
        return 0.0
    # What lies below the cut is guessed as class 0; missing values are missed.
    recall = (
        (place - ones) / max(1, (classes == 0).sum()) + (ones[-1] - ones) / max(1, (classes == 1).sum())
    ) / 2
    return float(np.maximum(recall, 1 - recall)[is_cut].max()) * float(present.mean())


def _copy(dataset: Dataset, column: Column, classes: np.ndarray) -> list[Finding]:
    if np.bincount(classes).min() < _LEAST_ROWS_OF_A_CLASS:
        return []
    recall = recall_alone(dataset[column.name], classes)
    target = dataset.target.name
    if recall >= _CERTAIN or (recall >= 0.9 and _is_named_alike(column.name, target)):
        message = (
            f"The column {column.name!r} alone tells {percent(recall)} of the target {target!r}: "
            "it is most likely written after the answer was known."
        )
        return [Finding("target_copy", "error", message, column.name, is_leak=True)]
    if recall >= _SUSPECT:
        message = (
            f"The column {column.name!r} alone tells {percent(recall)} of the target {target!r}: "
            "is it known beforehand?"
        )
        return [Finding("leak_suspect", "warning", message, column.name)]
    if _is_named_alike(column.name, target):
        message = f"The column {column.name!r} is named like the target {target!r}: is it known beforehand?"
        return [Finding("leak_suspect", "warning", message, column.name)]
    return []


def _is_named_alike(name: str, target: str) -> bool:
    one, other = (re.sub(r"[^\w]|_", "", text).lower() for text in (name, target))
    return min(len(one), len(other)) >= 4 and (one in other or other in one)


def _filled_for_one_class(dataset: Dataset, column: Column, classes: np.ndarray) -> list[Finding]:
    filled = ~is_missing(dataset[column.name])
    shares = np.array([filled[classes == c].mean() for c in range(int(classes.max()) + 1)])
    most = int(shares.argmax())
    rest = np.delete(shares, most)
    if filled.sum() < 10 or shares[most] < 0.5 or rest.max() > 0.01:
        return []
    name = dataset[dataset.target.name][classes == most][0]
    message = (
        f"The column {column.name!r} is filled in {percent(float(shares[most]))} of the rows of class {name!r} and in "
        f"{percent(float(rest.max()))} of the others: that it is filled tells the answer."
    )
    return [Finding("filled_for_one_class", "error", message, column.name, is_leak=True)]


def _label_within_text(dataset: Dataset, column: Column, classes: np.ndarray) -> list[Finding]:
    """Find texts that hold their own label as a word, in nearly all rows of every class and in few others."""
    names = [str(name).lower() for name in np.unique(dataset[dataset.target.name].astype(str))]
    if len(names) > 50 or min(map(len, names)) < 2:
        return []
    texts = [(text or "").lower() for text in dataset[column.name]]
    holds = np.array([[name in text for name in names] for text in texts])  # (rows, classes)
    own = holds[np.arange(len(texts)), classes]
    alone = own & (holds.sum(axis=1) == 1)
    if min(alone[classes == c].mean() for c in range(len(names))) < 0.9:
        return []
    message = (
        f"The texts in {column.name!r} hold their own label in {percent(float(alone.mean()))} of the rows, first in "
        f"{in_lines(dataset, np.flatnonzero(alone))}."
    )
    lines = first_lines(dataset, np.flatnonzero(alone))
    return [Finding("label_in_text", "error", message, column.name, lines, is_leak=True)]


def _groups_across_parts(dataset: Dataset) -> list[Finding]:
    """Find groups of which the data's own parts hold rows on both sides."""
    part = next((c.name for c in dataset.columns if c.role is Role.PART), None)
    group = next((c.name for c in dataset.columns if c.role is Role.GROUP), None)
    if part is None or group is None:
        return []
    owners, parts = dataset[group], dataset[part]
    learned = set(owners[parts == "train"]) - {None}
    shared = np.flatnonzero((parts == "test") & np.array([owner in learned for owner in owners]))
    if not len(shared):
        return []
    message = (
        f"{counted(len(shared), 'test row belongs', 'test rows belong')} to a {group!r} of the train part, first "
        f"{in_lines(dataset, shared)}: the score would not hold for a new {group!r}."
    )
    return [
        Finding("group_across_parts", "error", message, group, first_lines(dataset, shared), is_leak=True)
    ]
