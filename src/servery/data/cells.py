"""Cells as they were read to values of one kind: numbers, times, names, sets of labels."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
import orjson

from servery.data.columns import STRUCTURES, Kind
from servery.data.raw_table import object_array
from servery.data.series import series_of

_MISSING = frozenset(
    {"", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "-", "--", "?", ".", "inf", "-inf"}
)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_THOUSANDS = re.compile(r"[-+]?\d{1,3}([,\u00a0 '])\d{3}(\1\d{3})*(\.\d+)?")
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
_CODE = re.compile(r"0\d+")
_WHOLE_WITH_POINT = re.compile(r"\s*[-+]?\d+\.0+\s*")
_TIME = re.compile(
    r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?"
    r"(?:[T ]+(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d{1,9})?))?)?\s*(Z|[-+]\d{2}:?\d{2})?"
)


def is_missing_word(cell: object) -> bool:
    """Whether a text stands for no value where a number or a time is expected, e.g. "n/a"."""
    return isinstance(cell, str) and cell.strip().lower() in _MISSING


def number_of(cell: Any, has_decimal_comma: bool = False) -> float:
    """Return a cell as a number, NaN where it is none.

    >>> number_of("1,200"), number_of("3,5", has_decimal_comma=True), number_of("$12"), number_of("n/a")
    (1200.0, 3.5, 12.0, nan)
    """
    if isinstance(cell, bool | int | float | np.number):
        return float(cell) if np.isfinite(cell) else np.nan
    if not isinstance(cell, str):
        return np.nan
    text = cell.strip().strip("%$€£¥￥ ")
    if has_decimal_comma and _DECIMAL_COMMA.fullmatch(text):
        text = text.replace(",", ".")
    elif _THOUSANDS.fullmatch(text):
        text = re.sub(r"[,\u00a0 ']", "", text)
    if len(text) > 400 or not _NUMBER.fullmatch(text):
        return np.nan
    value = float(text)
    return value if np.isfinite(value) else np.nan


def numbers_of(cells: Iterable[Any]) -> np.ndarray:
    """Return cells as numbers, float64, NaN where a cell is none."""
    cells = list(cells)
    try:
        # Plain numbers, by far the most common column, in one go.
        plain = np.array([np.nan if cell is None else cell for cell in cells], dtype=object).astype(
            np.float64
        )
        return np.where(np.isfinite(plain), plain, np.nan)
    except (TypeError, ValueError):
        return _numbers_by_cell(cells)


def has_decimal_comma(cells: Iterable[Any]) -> bool:
    """Return whether a column's numbers are written like "3,5".

    >>> has_decimal_comma(["1,5", "2,250"]), has_decimal_comma(["1,500", "2,250"])
    (True, False)
    """
    commas = [c for c in cells if isinstance(c, str) and "," in c]
    # "1,5" has no three digits after the comma, so the comma cannot part thousands.
    return any(_DECIMAL_COMMA.fullmatch(c.strip()) and len(c.rpartition(",")[2]) != 3 for c in commas)


def _numbers_by_cell(cells: list[Any]) -> np.ndarray:
    with_comma = has_decimal_comma(cells)
    known: dict[Any, float] = {}
    for cell in cells:
        if cell not in known:
            known[cell] = number_of(cell, with_comma)
    return np.fromiter((known[cell] for cell in cells), dtype=np.float64, count=len(cells))


def is_code(cell: object) -> bool:
    """Whether a text of digits is a name rather than an amount: "00123"."""
    return isinstance(cell, str) and _CODE.fullmatch(cell.strip()) is not None


def time_of(cell: Any) -> np.datetime64:
    """Return a cell as a time in UTC, NaT where it is none; the year comes first.

    >>> time_of("2024/3/1 08:30"), time_of("2024-03-01T08:30:00+08:00")
    (np.datetime64('2024-03-01T08:30:00.000000000'), np.datetime64('2024-03-01T00:30:00.000000000'))
    """
    if isinstance(cell, np.datetime64):
        in_nanoseconds: np.datetime64 = cell.astype("datetime64[ns]")
        return in_nanoseconds
    match = _TIME.fullmatch(cell.strip()) if isinstance(cell, str) else None
    if match is None:
        return np.datetime64("NaT", "ns")
    year, month, day, hour, minute, second, zone = match.groups()
    time: np.datetime64
    try:
        time = np.datetime64(
            f"{year}-{month:0>2}-{day:0>2}T{hour or '00':0>2}:{minute or '00'}:{second or '00'}", "ns"
        )
    except ValueError:
        return np.datetime64("NaT", "ns")
    if zone and zone != "Z":
        minutes = int(zone[1:3]) * 60 + int(zone[-2:])
        time -= np.timedelta64(minutes if zone[0] == "+" else -minutes, "m")
    return time


def times_of(cells: Iterable[Any]) -> np.ndarray:
    """Return cells as times, datetime64[ns], NaT where a cell is none."""
    known: dict[Any, np.datetime64] = {}
    cells = list(cells)
    for cell in cells:
        if cell not in known:
            known[cell] = time_of(cell)
    return np.array([known[cell] for cell in cells], dtype="datetime64[ns]")


def name_of(cell: Any) -> str | None:
    """Return a cell as the name of a category, None where it is missing.

    >>> name_of(3.0), name_of(True), name_of(" yes "), name_of(None)
    ('3', 'true', 'yes', None)
    """
    if cell is None or cell != cell:
        return None
    if isinstance(cell, bool | np.bool_):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    if isinstance(cell, tuple):
        return ", ".join(cell)
    if isinstance(cell, bytes):
        return cell.hex()
    return str(cell).strip() or None


def label_separator(cells: Iterable[Any]) -> str:
    """Return what parts the labels within cells: the most common of comma, semicolon, pipe."""
    counts = Counter({",": 0})
    for cell in cells:
        if isinstance(cell, str):
            counts.update({mark: 1 for mark in ",;|" if mark in cell})
    return counts.most_common(1)[0][0]


def labels_of(cell: Any, separator: str) -> tuple[str, ...] | None:
    """Return a cell as a sorted set of labels, None where it is missing; an empty list is a set of none.

    >>> labels_of("joy, anger,joy", ",")
    ('anger', 'joy')
    """
    if isinstance(cell, tuple):
        return tuple(sorted({part.strip() for part in cell} - {""}))
    name = name_of(cell)
    return None if name is None else tuple(sorted({part.strip() for part in name.split(separator)} - {""}))


def structure_of(cell: Any) -> Any:
    """Return a cell as the list or object it holds or spells in JSON, None where it is missing or none.

    >>> structure_of('[{"label": "cat"}]'), structure_of(("a", "b")), structure_of("cat")
    ([{'label': 'cat'}], ['a', 'b'], None)
    """
    if isinstance(cell, str):
        try:
            cell = orjson.loads(cell)
        except orjson.JSONDecodeError:
            return None
    if isinstance(cell, tuple):
        return list(cell)
    return cell if isinstance(cell, list | dict) else None


def values_of(cells: np.ndarray, kind: Kind) -> np.ndarray:
    """Return cells as the values of a column of that kind, in the array type that `Dataset` promises."""
    if kind is Kind.NUMBER:
        return numbers_of(cells)
    if kind is Kind.TIME:
        return times_of(cells)
    if kind is Kind.LABELS:
        separator = label_separator(cells)
        return object_array([labels_of(cell, separator) for cell in cells])
    if kind is Kind.SERIES:
        return object_array([series_of(cell) for cell in cells])
    if kind in STRUCTURES:
        return object_array([structure_of(cell) for cell in cells])
    if kind is Kind.EVENTS:
        from servery.data.events import events_of  # which reads times as this file does

        return object_array([events_of(cell) for cell in cells])
    if kind in (Kind.IMAGE, Kind.AUDIO):
        return object_array([cell if isinstance(cell, bytes) else None for cell in cells])
    if kind in (Kind.TEXT, Kind.MARKED_TEXT, Kind.SCENE):
        return object_array([cell if isinstance(cell, str) else name_of(cell) for cell in cells])
    if kind is Kind.CATEGORY and _are_whole_with_point(cells):
        return object_array([None if cell is None else name_of(float(cell)) for cell in cells])
    return object_array([name_of(cell) for cell in cells])


def _are_whole_with_point(cells: np.ndarray) -> bool:
    # Codes that went through a float column on their way ("1.0", "2.0") are the codes 1 and 2.
    present = {cell for cell in cells if cell is not None}
    return all(isinstance(cell, str) and _WHOLE_WITH_POINT.fullmatch(cell) for cell in present)
