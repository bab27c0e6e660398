"""Series as arrays: the last readings of each, the calendar and the place, for networks, trees and rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.data.columns import Column, Kind
from servery.data.series import unpack
from servery.errors import ArtifactError, InputError
from servery.models.encoder import Batch, Encoder

LAYOUTS = ("network", "lags", "history")
SPANS = (3, 6, 12, 24, 48)
"""Readings over which trees are told mean, spread and change."""
NANOSECONDS_PER_HOUR = 3_600 * 10**9
HOURS_PER_DAY, HOURS_PER_WEEK = 24.0, 168.0
MARKS = 4
"""Numbers that tell the place in day and week."""


class Windows(Encoder):
    """The last `past` readings of each series; shorter ones lack the first, longer ones lose them.

    Layouts:
        "network": `series`, float32, (rows, past, 2 * series): scaled readings, 0 where one is missing, and a 1 there;
            `context`, float32, (rows, numbers): calendar and category; `level`, float32, (rows, 1): the last known
            reading of the first series, scaled.
        "lags": `x`, float32, (rows, features): readings and what they sum up to, NaN where missing, for trees;
            the first feature is the last known reading of the first series.
        "history": `x`, float32, (rows, past): the first series, each missing reading as the one before it.

    Args:
        layout: One of the three.
        series: Names of the series; the first is the one that is forecast.
        categories: Category column to its known values.
        times: Names of the time columns: of the last reading.
        past: Readings that are looked back on.
        means: Of the readings of each series.
        scales: Their standard deviations.
    """

    name = "windows"

    def __init__(
        self,
        layout: str,
        series: Sequence[str],
        categories: Mapping[str, Sequence[str]],
        times: Sequence[str],
        past: int,
        means: Sequence[float],
        scales: Sequence[float],
    ) -> None:
        self.layout = layout
        self.series, self.times = tuple(series), tuple(times)
        self.categories = {name: tuple(values) for name, values in categories.items()}
        self.past = past
        self.means, self.scales = np.array(means, np.float32), np.array(scales, np.float32)

    @classmethod
    def fit(
        cls, examples: Sequence[Mapping[str, Any]], columns: Sequence[Column], layout: str, past: int
    ) -> Windows:
        """Learn scales and categories from the training rows.

        Args:
            examples: The training rows.
            columns: The inputs: series, categories and times.
            layout: One of `LAYOUTS`.
            past: Readings to look back on; 0 for the length of the longest row.
        """
        series = [c.name for c in columns if c.kind is Kind.SERIES]
        categories = {
            c.name: sorted({e[c.name] for e in examples if e.get(c.name) is not None})
            for c in columns
            if c.kind is Kind.CATEGORY
        }
        times = [c.name for c in columns if c.kind is Kind.TIME]
        past = past or max(len(example[series[0]] or b"") // 4 for example in examples)
        raw = cls(layout, series, categories, times, past, [0.0] * len(series), [1.0] * len(series))
        # A thousand rows tell mean and spread well enough.
        values = raw.readings(examples[:: max(1, len(examples) // 1000)])
        known = [column[np.isfinite(column)] for column in np.moveaxis(values, 2, 0)]
        raw.means = np.array([v.mean() if len(v) else 0.0 for v in known], np.float32)
        raw.scales = np.array([(v.std() if len(v) else 0.0) or 1.0 for v in known], np.float32)
        return raw

    @property
    def context_size(self) -> int:
        """Numbers of calendar and category."""
        return MARKS * len(self.times) + sum(len(values) for values in self.categories.values())

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return the arrays of the layout.

        Raises:
            InputError: A value is not what its column holds.
        """
        values = self.readings(examples)  # (rows, past, series)
        if self.layout == "history":
            return {"x": _filled(values[:, :, 0], self.means[0])}
        context = self._context(examples)
        level = _filled(values[:, :, 0], self.means[0])[:, -1]
        if self.layout == "lags":
            return {"x": np.concatenate([level[:, None], _lags(values), context], axis=1).astype(np.float32)}
        is_missing = ~np.isfinite(values)
        scaled = np.where(is_missing, 0.0, (values - self.means) / self.scales)
        # An impossible reading must not drown the others.
        scaled = scaled.clip(-20, 20)
        return {
            "series": np.concatenate([scaled, is_missing], axis=2).astype(np.float32),
            "context": context,
            "level": ((level - self.means[0]) / self.scales[0])[:, None].astype(np.float32),
        }

    def readings(self, examples: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Return the last readings of each series, float32, (rows, past, series), NaN where one is missing."""
        values = np.full((len(examples), self.past, len(self.series)), np.nan, np.float32)
        for place, name in enumerate(self.series):
            for row, example in enumerate(examples):
                cell = example.get(name)
                if cell is None:
                    continue
                if not isinstance(cell, bytes) or len(cell) % 4:
                    raise InputError(
                        f"{name!r} is {type(cell).__name__}; expected readings.", param=f"/{name}"
                    )
                found = unpack(cell)[-self.past :]
                values[row, self.past - len(found) :, place] = found
        return values

    def _context(self, examples: Sequence[Mapping[str, Any]]) -> np.ndarray:
        context = np.zeros((len(examples), self.context_size), np.float32)
        start = 0
        for name in self.times:
            context[:, start : start + MARKS] = _calendar([example.get(name) for example in examples], name)
            start += MARKS
        for name, values in self.categories.items():
            place = {value: number for number, value in enumerate(values)}
            for row, example in enumerate(examples):
                value = example.get(name)
                if value is not None and not isinstance(value, str):
                    raise InputError(f"{name!r} is {value!r}; expected a text.", param=f"/{name}")
                if value in place:
                    context[row, start + place[value]] = 1.0
            start += len(values)
        return context

    def state(self) -> dict[str, Any]:
        """Return what was learned, as plain JSON types."""
        return {
            "layout": self.layout,
            "series": list(self.series),
            "categories": {name: list(values) for name, values in self.categories.items()},
            "times": list(self.times),
            "past": self.past,
            "means": self.means.tolist(),
            "scales": self.scales.tolist(),
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Windows:
        """Rebuild the encoder.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        try:
            if state["layout"] not in LAYOUTS:
                raise ValueError(f"layout {state['layout']!r}")
            names = ("layout", "series", "categories", "times", "past", "means", "scales")
            return cls(*(state[name] for name in names))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(f"The state of the encoder 'windows' is torn: {error!r}.") from error


def _filled(values: np.ndarray, otherwise: float) -> np.ndarray:
    """Return readings with each missing one as the last known before it, else the first known after it."""
    known = np.isfinite(values)
    places = np.where(known, np.arange(values.shape[1]), -1)
    last = np.maximum.accumulate(places, axis=1)
    first = np.where(known.any(axis=1), known.argmax(axis=1), 0)
    chosen = np.where(last >= 0, last, first[:, None])
    filled = np.take_along_axis(values, chosen, axis=1)
    return np.where(np.isfinite(filled), filled, otherwise).astype(np.float32)


def _lags(values: np.ndarray) -> np.ndarray:
    """Return the first series as it is with its sums, and the others' last readings with theirs, (rows, features)."""
    _, past, count = values.shape
    first = values[:, :, 0]
    parts = [first[:, -min(past, 24) :], first[:, max(0, past - 48) : max(0, past - 24) : 3]]
    for place in range(count):
        series = values[:, :, place]
        last = _filled(series, np.nan)[:, -1]
        known, plain = np.isfinite(series), np.nan_to_num(series)
        for span in SPANS:
            if span > past or (place and span not in (3, 6, 24)):
                continue
            counts = known[:, -span:].sum(axis=1)
            mean = np.where(counts > 0, plain[:, -span:].sum(axis=1) / np.maximum(counts, 1), np.nan)
            squares = (plain[:, -span:] ** 2).sum(axis=1) / np.maximum(counts, 1)
            parts += [mean[:, None], (last - series[:, -span])[:, None]]
            if not place:
                parts.append(np.sqrt(np.maximum(squares - mean**2, 0.0))[:, None])
        if place:
            parts.append(last[:, None])
    return np.concatenate(parts, axis=1)


def _calendar(times: Sequence[Any], name: str) -> np.ndarray:
    """Return the places of times in day and week on a circle, float32, (times, 4); 0 where one is missing.

    The place in the year is left out: from two or three years it tells which of them it was, and the readings tell
    the season.
    """
    for time in times:
        if time is not None and not isinstance(time, np.datetime64):
            raise InputError(f"{name!r} is {time!r}; expected a time.", param=f"/{name}")
    stamps = np.array([np.datetime64("NaT") if time is None else time for time in times], "datetime64[ns]")
    hours = np.where(np.isnat(stamps), 0, stamps.astype(np.int64)) / NANOSECONDS_PER_HOUR
    circles = [2 * np.pi * hours / length for length in (HOURS_PER_DAY, HOURS_PER_WEEK)]
    marks = np.stack([function(circle) for circle in circles for function in (np.sin, np.cos)], axis=1)
    return np.where(np.isnat(stamps)[:, None], 0.0, marks).astype(np.float32)
