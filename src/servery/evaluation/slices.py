"""Where a model is weak: rows with something in common, and how well they do."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator

import numpy as np

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.evaluation.evaluation import Slice
from servery.evaluation.numbers import shown
from servery.metrics.resampling import wilson

LEAST_ROWS = 20
MOST_SHOWN = 12
MOST_OF_ONE_COLUMN = 4
MOST_VALUES = 30
"""Most frequent values of a category column that are looked at."""

_Part = tuple[str, str, np.ndarray]


def worst_slices(test: Dataset, train: Dataset, quality: np.ndarray) -> tuple[tuple[Slice, ...], int]:
    """Return the slices that are worse than the whole, the surest first, and how many were looked at.

    Args:
        test: Rows that were judged.
        train: Rows whose quarters limit the slices of numbers and text lengths.
        quality: How right each test row is, from 0 to 1, float64, (rows,).
    """
    found = [
        _measured(column, condition, quality[mask])
        for column, condition, mask in _parts(test, train)
        if mask.sum() >= LEAST_ROWS and not mask.all()
    ]
    overall = quality.mean()
    # A slice whose interval ends lowest is the one most surely bad: small ones do not crowd the list.
    weak = sorted((s for s in found if s.quality < overall), key=lambda s: (s.high, s.column, s.condition))
    seen: Counter[str] = Counter()
    kept = []
    for part in weak:
        seen[part.column] += 1
        if seen[part.column] <= MOST_OF_ONE_COLUMN:
            kept.append(part)
    return tuple(kept[:MOST_SHOWN]), len(found)


def _measured(column: str, condition: str, quality: np.ndarray) -> Slice:
    mean = float(quality.mean())
    interval = wilson(mean, len(quality))
    return Slice(column, condition, len(quality), mean, interval.low, interval.high)


def _parts(test: Dataset, train: Dataset) -> Iterator[_Part]:
    for column in test.inputs:
        values = test[column.name]
        match column.kind:
            case Kind.TEXT:
                yield from _text_parts(column, values, train[column.name])
            case Kind.NUMBER:
                yield from _number_parts(column.name, values, train[column.name], "")
            case Kind.CATEGORY:
                yield from _value_parts(column.name, values)
            case _:
                pass
    if test.target.kind is Kind.CATEGORY:
        yield from _value_parts(test.target.name, test[test.target.name])
    elif test.target.kind is Kind.LABELS:
        yield from _label_parts(test.target.name, test[test.target.name])


def _text_parts(column: Column, values: np.ndarray, train: np.ndarray) -> Iterator[_Part]:
    yield from _number_parts(column.name, _lengths(values), _lengths(train), " characters")
    scripts = np.array([script_of(value or "") for value in values], dtype=object)
    for script in ("Chinese", "Latin", "other"):
        yield column.name, f"mostly {script} script", scripts == script


def _lengths(values: np.ndarray) -> np.ndarray:
    return np.array([len(value or "") for value in values], dtype=np.float64)


def _number_parts(name: str, values: np.ndarray, train: np.ndarray, unit: str) -> Iterator[_Part]:
    if np.isnan(values).any():
        yield name, "missing", np.isnan(values)
    known = train[np.isfinite(train)]
    if not len(known):
        return
    limits = np.unique(np.quantile(known, [0.25, 0.5, 0.75]))
    place = np.searchsorted(limits, values, side="right")
    place[np.isnan(values)] = -1
    for i in range(len(limits) + 1):
        if i == 0:
            condition = f"under {shown(limits[0])}{unit}"
        elif i == len(limits):
            condition = f"{shown(limits[-1])}{unit} or more"
        else:
            condition = f"{shown(limits[i - 1])} to under {shown(limits[i])}{unit}"
        yield name, condition, place == i


def _value_parts(name: str, values: np.ndarray) -> Iterator[_Part]:
    for value, _ in Counter(values.tolist()).most_common(MOST_VALUES):
        condition = "missing" if value is None else f"is {value}"
        yield name, condition, np.array([cell == value for cell in values], dtype=bool)


def _label_parts(name: str, cells: np.ndarray) -> Iterator[_Part]:
    counts = Counter(label for cell in cells for label in cell)
    for label, _ in counts.most_common(MOST_VALUES):
        yield name, f"has {label}", np.array([label in cell for cell in cells], dtype=bool)
    yield name, "has no label", np.array([len(cell) == 0 for cell in cells], dtype=bool)


def script_of(text: str) -> str:
    """Return "Chinese", "Latin" or "other", by most of a text's letters.

    >>> script_of("物流很快 ok"), script_of("fast"), script_of("12:30")
    ('Chinese', 'Latin', 'other')
    """
    names = [unicodedata.name(c, "") for c in text[:200] if c.isalpha()]
    chinese = sum(name.startswith("CJK") for name in names)
    latin = sum(name.startswith(("LATIN", "FULLWIDTH LATIN")) for name in names)
    if max(chinese, latin) * 2 <= len(names) or not names:
        return "other"
    return "Chinese" if chinese > latin else "Latin"
