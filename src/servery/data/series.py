"""Readings one after the other at equal distances, as a cell of a data set: packed, so that rows stay small."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

MOST_READINGS = 100_000
AT = "@"
"""Between the name of a series and the station whose readings they are: "pm25@Harbour"."""


class Readings(bytes):
    """A packed cell: float32 one after the other; a type of its own, so that nobody takes it for a picture."""

    __slots__ = ()


def pack(readings: Sequence[float | None] | np.ndarray) -> Readings:
    """Return readings as a cell: float32, NaN where one is missing.

    >>> unpack(pack([1.0, None, 2.5])).tolist()
    [1.0, nan, 2.5]
    """
    if not isinstance(readings, np.ndarray):
        readings = np.array([np.nan if value is None else value for value in readings], np.float64)
    # Beyond float32 a number is as good as missing.
    plain = np.where(np.abs(readings) < np.finfo(np.float32).max, readings, np.nan)
    return Readings(plain.astype("<f4").tobytes())


def unpack(cell: bytes) -> np.ndarray:
    """Return a cell's readings, float32, (readings,), NaN where one is missing."""
    return np.frombuffer(cell, "<f4")


def series_of(cell: Any) -> Readings | None:
    """Return a cell as it was read, a list or its JSON, as a packed one; None where it is no list of numbers.

    >>> series_of("[1, null]") == pack([1.0, None]), series_of("x"), series_of(["a"])
    (True, None, None)
    """
    if isinstance(cell, Readings):
        return cell  # rows of one moment share their cells
    if isinstance(cell, bytes):
        return Readings(cell) if len(cell) % 4 == 0 else None
    if isinstance(cell, str):
        try:
            cell = orjson.loads(cell)
        except orjson.JSONDecodeError:
            return None
    if not isinstance(cell, list | tuple | np.ndarray) or len(cell) > MOST_READINGS:
        return None
    known = [value for value in cell if value is not None]
    if any(isinstance(value, bool) or not isinstance(value, int | float | np.number) for value in known):
        return None
    return pack(cell if isinstance(cell, np.ndarray) else list(cell))


def stations_in(names: Sequence[str]) -> dict[str, str]:
    """Return the columns that hold the first series as it was read at each station, to the name of the station.

    >>> stations_in(["pm25", "wind", "pm25@Harbour", "pm25@Market"])
    {'pm25@Harbour': 'Harbour', 'pm25@Market': 'Market'}
    """
    start = f"{names[0]}{AT}" if names else AT
    return {name: name[len(start) :] for name in names if name.startswith(start)}
