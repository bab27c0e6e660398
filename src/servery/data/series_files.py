"""Reads long series, a line a reading, into rows: a stretch of the past and what came after it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from servery.data.cells import numbers_of, times_of
from servery.data.dataset import BadRow
from servery.data.raw_table import RawTable, object_array
from servery.data.readers import read_raw
from servery.data.series import AT, Readings
from servery.errors import DataError, EmptyDataError

FUTURE, NOW, ORIGIN, ELSEWHERE = "future", "now", "origin", "elsewhere"
_TIMES = ("time", "datetime", "timestamp", "date", "at", "时间", "日期")
_GROUPS = ("series", "station", "sensor", "meter", "site", "id", "站点")
_TARGETS = ("value", "target", "y", "数值")
_POINTS = ("N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW")
MOST_STATIONS = 50
"""With more groups than these a row is told the mean of the others, and not each of them."""
MOST_GAP = 100
"""Times as many empty steps as readings: more means that the times are not at equal distances."""


@dataclass(frozen=True)
class SeriesLayout:
    """How long series become rows.

    Attributes:
        target: Column to forecast; empty takes one called like it, else the first column of numbers.
        group: Column that names the series of a reading; empty takes one called like it, if there is one.
        past: Readings that a row looks back on.
        horizon: Readings that it is asked for.
        stride: Steps from one row of a series to the next; with 5 every hour of the day has its turn.
        left_out: Columns that are not read.
        compass: Column of directions ("N", "NNE", ...) and the one of speeds, read as one series east and one north.
    """

    target: str = ""
    group: str = ""
    past: int = 48
    horizon: int = 24
    stride: int = 5
    left_out: tuple[str, ...] = ()
    compass: tuple[str, str] | None = None

    def read(self, path: Path) -> RawTable:
        """Read a file or folder as rows.

        The columns of a row are `origin` and `now`, the time of its last reading; the group; the past of the target
        and of each other column of numbers; of several groups `elsewhere`, the mean of the target in the others, and
        the target in each of them, as `pm25@Harbour`; and `future`, what is to be forecast. A file whose rows have
        these columns already is taken as it is.

        Raises:
            DataError: No column of times or numbers, or times that are at no equal distances.
            EmptyDataError: The series are shorter than a row.
        """
        raw = read_raw(path)
        return raw if FUTURE in raw.values else self.rows(raw, path.name)

    def rows(self, raw: RawTable, where: str) -> RawTable:
        """Return the rows that the readings of a table make; see `read`."""
        time = _named(raw, _TIMES, where, "times")
        group = self.group or next((n for n in raw.values if n.lower() in _GROUPS), "")
        names = [n for n in raw.values if n not in (time, group, *self.left_out)]
        numbers = {name: numbers_of(raw.values[name]) for name in names}
        numbers = {name: values for name, values in numbers.items() if np.isfinite(values).any()}
        target = self.target or next((n for n in numbers if n.lower() in _TARGETS), next(iter(numbers), ""))
        if target not in numbers:
            raise DataError(f"{where} has no column of numbers {target!r} to forecast.", param="data")
        numbers = {target: numbers[target], **numbers}
        if self.compass:
            direction, speed = self.compass
            east, north = _blown(raw.values[direction], numbers[speed])
            numbers |= {f"{speed}_east": east, f"{speed}_north": north}
        times = times_of(raw.values[time])
        owners = raw.values[group] if group else object_array([""] * len(raw))
        grids, bad = _grids(raw, times, owners, numbers, where)
        if len(grids) > 1:
            _add_elsewhere(grids, target)
        return self._windows(grids, group, target, raw, bad, where)

    def _windows(
        self,
        grids: Mapping[str, _Grid],
        group: str,
        target: str,
        raw: RawTable,
        bad: Sequence[BadRow],
        where: str,
    ) -> RawTable:
        cells: dict[str, list[Any]] = {}
        lines: list[int] = []
        panel = _Panel.of(grids, target, self.past)
        for owner, grid in grids.items():
            ends = np.arange(self.past - 1, len(grid.times) - self.horizon, self.stride)
            packed = {name: grid.values[name].astype("<f4") for name in grid.values}
            for end in ends.tolist():
                future = packed[target][end + 1 : end + 1 + self.horizon]
                past = packed[target][end + 1 - self.past : end + 1]
                if not np.isfinite(future).any() or not np.isfinite(past).any():
                    continue
                row = {ORIGIN: grid.times[end], NOW: grid.times[end]}
                row |= {group: owner} if group else {}
                row |= {n: Readings(v[end + 1 - self.past : end + 1].tobytes()) for n, v in packed.items()}
                row |= panel.at(grid.times[end])
                for name, value in {**row, FUTURE: Readings(future.tobytes())}.items():
                    cells.setdefault(name, []).append(value)
                lines.append(int(grid.lines[end]))
        if not lines:
            raise EmptyDataError(
                f"{where} has no series of {self.past + self.horizon} readings: a row looks back on {self.past} and is "
                f"asked for {self.horizon}."
            )
        values = {name: object_array(column) for name, column in cells.items()}
        facts = {**raw.facts, "step_seconds": f"{panel.step / np.timedelta64(1, 's'):g}"}
        return replace(
            raw,
            values=values,
            line_numbers=np.array(lines, np.int64),
            bad_rows=(*raw.bad_rows, *bad),
            facts=facts,
        )


@dataclass(frozen=True)
class _Grid:
    """One series at equal distances: times, the line of each reading (0 where there was none), values."""

    times: np.ndarray
    lines: np.ndarray
    values: dict[str, np.ndarray]


@dataclass(frozen=True)
class _Panel:
    """The target of all groups on one grid of times.

    Attributes:
        start: The first time of all.
        step: From one reading to the next.
        past: Readings of a window.
        readings: Column to its readings, float32; before the first time stand `past` that are missing.
        seen: Windows that were cut: rows of one moment share them.
    """

    start: np.datetime64
    step: np.timedelta64
    past: int
    readings: Mapping[str, np.ndarray]
    seen: dict[int, dict[str, Readings]]

    @classmethod
    def of(cls, grids: Mapping[str, _Grid], target: str, past: int) -> _Panel:
        """Lay the target of all groups side by side; one group, or very many, makes an empty panel."""
        start = min(grid.times[0] for grid in grids.values())
        step = next(
            (g.times[1] - g.times[0] for g in grids.values() if len(g.times) > 1), np.timedelta64(1, "s")
        )
        readings: dict[str, np.ndarray] = {}
        if 1 < len(grids) <= MOST_STATIONS:
            length = max(int((grid.times[-1] - start) / step) for grid in grids.values()) + 1
            for owner, grid in grids.items():
                laid = np.full(past + length, np.nan, "<f4")
                first = past + int((grid.times[0] - start) / step)
                laid[first : first + len(grid.times)] = grid.values[target]
                readings[f"{target}{AT}{owner}"] = laid
        return cls(start, step, past, readings, {})

    def at(self, time: np.datetime64) -> dict[str, Readings]:
        """Return the window of each group that ends at a time."""
        end = int((time - self.start) / self.step)
        if end not in self.seen:
            self.seen[end] = {
                name: Readings(laid[end + 1 : end + 1 + self.past].tobytes())
                for name, laid in self.readings.items()
            }
        return self.seen[end]


def _named(raw: RawTable, names: Sequence[str], where: str, what: str) -> str:
    found = next((name for name in raw.values if name.lower() in names), "")
    if not found:
        raise DataError(
            f"{where} has no column of {what}; its columns are {', '.join(raw.values)}.",
            hint=f"call it {names[0]}",
            param="data",
        )
    return found


def _grids(
    raw: RawTable,
    times: np.ndarray,
    owners: np.ndarray,
    numbers: Mapping[str, np.ndarray],
    where: str,
) -> tuple[dict[str, _Grid], list[BadRow]]:
    """Lay each series on its grid; readings without a time, twice there or between two steps are set aside."""
    lines, bad = raw.line_numbers, []
    fault = np.where(np.isnat(times), "no time", "").astype(object)
    step = _step(times, owners, where)
    grids = {}
    for owner in dict.fromkeys(owners.tolist()):
        rows = np.flatnonzero((owners == owner) & ~np.isnat(times))
        if owner is None or not len(rows):
            continue
        rows = rows[np.argsort(times[rows], kind="stable")]
        places, rest = np.divmod(times[rows] - times[rows[0]], step)
        again = np.concatenate([[False], places[1:] == places[:-1]])
        between = rest != np.timedelta64(0)
        fault[rows[again]] = "a second reading of this time"
        fault[rows[between]] = "between two steps of the series"
        kept = ~(again | between)
        rows, places = rows[kept], places[kept].astype(np.int64)
        length = int(places[-1]) + 1
        if length > MOST_GAP * len(rows):
            raise DataError(f"The times of {where} are at no equal distances.", param="data")
        values = {name: np.full(length, np.nan) for name in numbers}
        for name, column in numbers.items():
            values[name][places] = column[rows]
        where_read = np.zeros(length, np.int64)
        where_read[places] = lines[rows]
        grids[str(owner)] = _Grid(times[rows[0]] + step * np.arange(length), where_read, values)
    bad = [BadRow(int(lines[row]), f"time: {fault[row]}") for row in np.flatnonzero(fault != "")]
    return grids, bad


def _blown(directions: np.ndarray, speeds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how much of a wind comes from the east and from the north; NaN where the direction is none of 16."""
    angles = {point: 2 * np.pi * place / len(_POINTS) for place, point in enumerate(_POINTS)}
    angle = np.array([angles.get(str(cell).strip().upper(), np.nan) for cell in directions])
    return speeds * np.sin(angle), speeds * np.cos(angle)


def _step(times: np.ndarray, owners: np.ndarray, where: str) -> np.timedelta64:
    """Return the most frequent distance between two readings of one series."""
    first = next((owner for owner in owners.tolist() if owner is not None), None)
    own = np.unique(times[(owners == first) & ~np.isnat(times)])
    if len(own) < 2:
        raise DataError(f"{where} has fewer than two readings of {first!r} with a time.", param="data")
    steps, counts = np.unique(np.diff(own), return_counts=True)
    step: np.timedelta64 = steps[counts.argmax()]
    return step


def _add_elsewhere(grids: Mapping[str, _Grid], target: str) -> None:
    """Add to each series the mean of the target at the same time in the other series."""
    start, end = min(g.times[0] for g in grids.values()), max(g.times[-1] for g in grids.values())
    step = next(g.times[1] - g.times[0] for g in grids.values() if len(g.times) > 1)
    length = int((end - start) / step) + 1
    total, count = np.zeros(length), np.zeros(length)
    spans = {owner: int((g.times[0] - start) / step) for owner, g in grids.items()}
    for owner, grid in grids.items():
        own = grid.values[target]
        total[spans[owner] : spans[owner] + len(own)] += np.nan_to_num(own)
        count[spans[owner] : spans[owner] + len(own)] += np.isfinite(own)
    for owner, grid in grids.items():
        own = grid.values[target]
        there = slice(spans[owner], spans[owner] + len(own))
        others = count[there] - np.isfinite(own)
        sums = total[there] - np.nan_to_num(own)
        grid.values[ELSEWHERE] = np.where(others > 0, sums / np.maximum(others, 1), np.nan)
