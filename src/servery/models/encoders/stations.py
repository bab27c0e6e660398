"""Series of one station beside those of all stations at the same time, and a graph of the stations from their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.data.columns import Column, Kind
from servery.data.series import stations_in
from servery.errors import ArtifactError
from servery.models.encoder import Batch, Encoder
from servery.models.encoders._station_graph import distances_between, weights_of
from servery.models.encoders.windows import Windows

FAR = 20.0
"""Standard deviations beyond which a reading is taken for impossible: it must not drown the others."""
SKEWED = 1.0
"""Skewness from which a series without negative readings is read on a logarithmic scale."""
SMALL = 0.125
"""Standard deviations from 0 up to which that scale is even."""


class Stations(Encoder):
    """The last `past` readings of a row's own series, and of the series that is forecast at every station.

    The batch: `series`, float32, (rows, past, 2 * series), scaled readings, 0 where one is missing, and a 1 there;
    `context`, (rows, numbers): calendar and category; `level`, (rows, 1): the last known reading of the first series,
    in its unit; `stations`, (rows, stations, past, 2): readings and marks as of the first series; `own`,
    (rows, stations): a 1 at the row's own station, none where it is not known.

    Args:
        windows: Reads the own series, calendar and categories.
        panel: Windows that read each station's column.
        stations: Names of the stations, in the order of the columns.
        group: Category column that names the row's station.
        evens: Of each series, where its scale goes from even to logarithmic; 0 for a series that is only scaled.
        means: Of each series on its scale.
        scales: Standard deviations likewise.
        distances: Between stations, (stations, stations): kilometres, or one minus the correlation of their readings.
        is_map: Whether the distances are kilometres.
    """

    name = "stations"

    def __init__(
        self,
        windows: Windows,
        panel: Windows,
        stations: Sequence[str],
        group: str,
        evens: Sequence[float],
        means: Sequence[float],
        scales: Sequence[float],
        distances: Sequence[Sequence[float]],
        is_map: bool,
    ) -> None:
        self.windows, self.panel, self.stations, self.group = windows, panel, tuple(stations), group
        self.evens = np.array(evens, np.float64)
        self.means, self.scales = np.array(means, np.float64), np.array(scales, np.float64)
        self.distances, self.is_map = np.array(distances, np.float64), bool(is_map)

    @classmethod
    def fit(cls, examples: Sequence[Mapping[str, Any]], columns: Sequence[Column], past: int) -> Stations:
        """Learn scales and distances from the training rows.

        Args:
            examples: The training rows.
            columns: The inputs: series, among them those of the stations, categories and times.
            past: Readings to look back on; 0 for the length of the longest row.
        """
        names = stations_in([c.name for c in columns if c.kind is Kind.SERIES])
        own = [c for c in columns if c.name not in names]
        windows = Windows.fit(examples, own, "network", past)
        at_stations = [c for c in columns if c.name in names]
        panel = Windows.fit(examples[:1], at_stations, "network", windows.past)
        # A thousand rows tell scales and correlations well enough.
        few = examples[:: max(1, len(examples) // 1000)]
        values = windows.readings(few)
        evens = np.array([_even_until(column) for column in np.moveaxis(values, 2, 0)])
        with np.errstate(all="ignore"):
            scaled = _compressed(values, evens).reshape(-1, len(evens))
        known = [column[np.isfinite(column)] for column in scaled.T]
        means = [float(v.mean()) if len(v) else 0.0 for v in known]
        deviations = [(float(v.std()) if len(v) else 0.0) or 1.0 for v in known]
        stations = tuple(names.values())
        group = _group_of(examples, windows, stations)
        distances, is_map = distances_between(few, windows.series, stations, group, panel.readings(few))
        return cls(
            windows, panel, stations, group, evens.tolist(), means, deviations, distances.tolist(), is_map
        )

    @property
    def weights(self) -> np.ndarray:
        """The given graph: how much of each station goes to each other one, rows sum to 1."""
        return weights_of(self.distances)

    @property
    def past(self) -> int:
        """Readings that are looked back on."""
        return self.windows.past

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return the arrays.

        Raises:
            InputError: A value is not what its column holds.
        """
        return {**self.own(examples), "stations": self.around(examples), "own": self.placed(examples)}

    def own(self, examples: Sequence[Mapping[str, Any]]) -> Batch:
        """Return `series`, `context` and `level`."""
        values = self.windows.readings(examples)
        plain = self.windows.encode(examples)
        level = plain["level"] * self.windows.scales[0] + self.windows.means[0]
        return {
            "series": self._marked(values),
            "context": plain["context"],
            "level": level.astype(np.float32),
        }

    def around(self, examples: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Return `stations`."""
        values = self.panel.readings(examples)  # (rows, past, stations)
        first = self._marked(values.reshape(*values.shape[:2], -1), of_first=True)
        return np.ascontiguousarray(
            np.moveaxis(first.reshape(*values.shape[:2], 2, -1), (3, 1, 2), (1, 2, 3))
        )

    def placed(self, examples: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Return `own`."""
        places = {name: place for place, name in enumerate(self.stations)}
        own = np.zeros((len(examples), len(self.stations)), np.float32)
        for row, example in enumerate(examples):
            place = places.get(example.get(self.group) or "")
            if place is not None:
                own[row, place] = 1.0
        return own

    def _marked(self, values: np.ndarray, of_first: bool = False) -> np.ndarray:
        """Return readings on their scales beside the marks of missing ones, (rows, past, 2 * series)."""
        chosen = slice(0, 1) if of_first else slice(None)
        is_missing = ~np.isfinite(values)
        scaled = _compressed(np.where(is_missing, 0.0, values), self.evens[chosen])
        scaled = ((scaled - self.means[chosen]) / self.scales[chosen]).clip(-FAR, FAR)
        return np.concatenate([np.where(is_missing, 0.0, scaled), is_missing], axis=2).astype(np.float32)

    def state(self) -> dict[str, Any]:
        """Return what was learned, as plain JSON types."""
        return {
            "windows": self.windows.state(),
            "panel": self.panel.state(),
            "stations": list(self.stations),
            "group": self.group,
            "evens": self.evens.tolist(),
            "means": self.means.tolist(),
            "scales": self.scales.tolist(),
            "distances": self.distances.tolist(),
            "is_map": self.is_map,
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Stations:
        """Rebuild the encoder.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        try:
            windows, panel = Windows.restore(state["windows"]), Windows.restore(state["panel"])
            rest = ("stations", "group", "evens", "means", "scales", "distances", "is_map")
            found = cls(windows, panel, *(state[name] for name in rest))
            count = len(found.stations)
            if found.distances.shape != (count, count) or len(panel.series) != count:
                raise ValueError(f"{count} stations, distances {found.distances.shape}")
            return found
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(f"The state of the encoder 'stations' is torn: {error!r}.") from error


def _even_until(readings: np.ndarray) -> float:
    """Return where the scale of a series goes from even to logarithmic; 0 where it is even all the way."""
    known = readings[np.isfinite(readings)].astype(np.float64)
    deviation = float(known.std()) if len(known) else 0.0
    if not deviation or known.min() < 0:
        return 0.0
    skewness = float((((known - known.mean()) / deviation) ** 3).mean())
    return SMALL * deviation if skewness > SKEWED else 0.0


def _compressed(values: np.ndarray, evens: np.ndarray) -> np.ndarray:
    return np.where(evens > 0, np.arcsinh(values / np.where(evens > 0, evens, 1.0)), values)


def _group_of(examples: Sequence[Mapping[str, Any]], windows: Windows, stations: Sequence[str]) -> str:
    """Return the category column whose values are stations; empty where there is none."""
    known = set(stations)
    fitting = {name: len(known & set(values)) for name, values in windows.categories.items()}
    return max(fitting, key=lambda name: fitting[name]) if any(fitting.values()) else ""
