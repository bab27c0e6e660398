"""Reads the log of a drive, a row a moment, as windows: how the wheel moved, and how far it turned soon after."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from servery.data.cells import numbers_of
from servery.data.dataset import BadRow
from servery.data.raw_table import RawTable, object_array
from servery.data.readers import read_raw
from servery.errors import DataError, EmptyDataError

AT, DRIVE, ANGLE = "at", "drive", "angle"
PAST_MS = (50, 100, 200, 400, 800, 1600)
"""How far back changes of the angle are told."""
AHEAD_MS = (500, 1000)
CHANGES = tuple(f"change_{past}_ms" for past in PAST_MS)
"""By how much the angle changed in the last so many milliseconds."""
TARGETS = tuple(f"turn_in_{ahead}_ms" for ahead in AHEAD_MS)
"""How far the wheel will have turned from now: 0 is what persistence says, and R2 the share it is beaten by."""
LONGEST_GAP_SECONDS = 0.2
"""A longer gap between two rows, or a step back in time, begins another drive."""
BLOCK_SECONDS = 30.0
"""No window reaches from one block into the next, so that blocks can be parted without an overlap."""
_ANGLES = ("angle", "steering", "steering_angle")
_TIMES = ("seconds", "time", "timestamp", "t")
_NANOSECONDS = 1e15
"""Times beyond count nanoseconds: seconds would be 30 million years."""


def read_drives(path: Path) -> RawTable:
    """Read a log with a time (`seconds`, or `timestamp` in nanoseconds) and the wheel's `angle` as windows.

    Where a column `public` says of which rows an answer counts, only those are asked about, and there are no blocks.

    Raises:
        DataError: The file is missing, or has no column for the time or the angle.
        EmptyDataError: No stretch of it is long enough.
    """
    raw = read_raw(path)
    if set(TARGETS) <= raw.values.keys():
        return raw
    times, angles = _column(raw, path.name, _TIMES), _column(raw, path.name, _ANGLES)
    times = times / 1e9 if np.nanmedian(np.abs(times)) > _NANOSECONDS else times
    is_public = numbers_of(raw.values["public"]) > 0 if "public" in raw.values else None
    is_good = np.isfinite(times) & np.isfinite(angles)
    bad = [BadRow(int(raw.line_numbers[row]), "no time or no angle") for row in np.flatnonzero(~is_good)]
    good = np.flatnonzero(is_good)
    twice = good[1:][np.diff(times[good]) == 0]
    bad += [
        BadRow(int(raw.line_numbers[row]), "the time is there twice; its first row counts") for row in twice
    ]
    rows = np.setdiff1d(good, twice)
    windows = list(_windows(times[rows], angles[rows], is_public is None))
    kept = [
        (rows[place], *window) for place, *window in windows if is_public is None or is_public[rows[place]]
    ]
    if not kept:
        raise EmptyDataError(
            f"{path.name} has no stretch of {(PAST_MS[-1] + AHEAD_MS[-1]) / 1000:g} s without a gap.",
            hint="rows at least five times a second, in the order of time",
        )
    places, *columns = zip(*kept, strict=True)
    names = (AT, DRIVE, ANGLE, *CHANGES, *TARGETS)
    values = {name: object_array(cells) for name, cells in zip(names, columns, strict=True)}
    return RawTable(values, raw.line_numbers[list(places)], (*raw.bad_rows, *bad), raw.facts)


def _column(raw: RawTable, name: str, spoken: tuple[str, ...]) -> np.ndarray:
    lowered = {column.lower(): column for column in raw.values}
    found = next((lowered[word] for word in spoken if word in lowered), None)
    if found is None:
        raise DataError(
            f"{name} has no column {' or '.join(spoken[:2])}; its columns are {', '.join(raw.values)}.",
            hint="a row a moment, with the columns seconds and angle",
            param="data",
        )
    return numbers_of(raw.values[found])


def _windows(times: np.ndarray, angles: np.ndarray, has_blocks: bool) -> Iterator[tuple[Any, ...]]:
    """Yield place, time, drive, angle, changes and coming turns of every row with a whole past and future."""
    gaps = np.diff(times)
    breaks = np.flatnonzero((gaps > LONGEST_GAP_SECONDS) | (gaps < 0)) + 1
    for rows in np.split(np.arange(len(times)), breaks):
        own, start = times[rows], times[rows[0]]
        block = np.floor((own - start) / BLOCK_SECONDS) if has_blocks else np.zeros(len(rows))
        first, last = own - PAST_MS[-1] / 1000, own + AHEAD_MS[-1] / 1000
        low = start + block * BLOCK_SECONDS if has_blocks else np.full(len(rows), start)
        high = np.minimum(low + BLOCK_SECONDS, own[-1]) if has_blocks else np.full(len(rows), own[-1])
        whole = np.flatnonzero((first >= low - 1e-9) & (last <= high + 1e-9))
        now = angles[rows]
        past = [now - np.interp(own - ms / 1000, own, now) for ms in PAST_MS]
        ahead = [np.interp(own + ms / 1000, own, now) - now for ms in AHEAD_MS]
        numbers = np.stack([now, *past, *ahead], axis=1).round(6)
        for place in whole:
            drive = f"{start:.0f} s, block {block[place]:.0f}"
            yield int(rows[place]), float(own[place]), drive, *numbers[place].tolist()
