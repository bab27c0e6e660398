"""A graph of stations: from how far apart they lie, or from how alike their readings go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.data.series import unpack

LATITUDES, LONGITUDES = ("latitude", "lat", "纬度"), ("longitude", "lon", "lng", "经度")
EARTH_KM = 6371.0
LEAST_WEIGHT = 0.1
"""Weaker edges are left out."""


def distances_between(
    examples: Sequence[Mapping[str, Any]],
    series: Sequence[str],
    stations: Sequence[str],
    group: str,
    panel: np.ndarray,
) -> tuple[np.ndarray, bool]:
    """Return how far each station is from each, float64, (stations, stations), and whether that is in kilometres.

    Args:
        examples: Rows that name their station, with a latitude and a longitude if they are known.
        series: Names of the series of a row.
        stations: Names of the stations.
        group: Column that names a row's station.
        panel: Readings of all stations, (rows, past, stations), NaN where one is missing.
    """
    places = _coordinates(examples, series, stations, group)
    if places is not None:
        return _kilometres(places), True
    return 1.0 - _correlations(panel[:, -1]), False


def weights_of(distances: np.ndarray) -> np.ndarray:
    """Return how much of each station goes to each, rows sum to 1; itself is the nearest of all.

    Source: a Gaussian kernel with a threshold, Shuman et al. (2013), The emerging field of signal processing on
    graphs, equation 1, as in Li et al. (2018), Diffusion convolutional recurrent neural network, section 4.

    >>> weights_of(np.array([[0.0, 1.0, 9.0], [1.0, 0.0, 9.0], [9.0, 9.0, 0.0]])).round(2).tolist()
    [[0.52, 0.48, 0.0], [0.48, 0.52, 0.0], [0.0, 0.0, 1.0]]
    """
    apart = distances[~np.eye(len(distances), dtype=bool)]
    width = float(apart.std()) if len(apart) > 2 else 0.0
    width = width or float(apart.mean() if len(apart) else 1.0) or 1.0
    weights = np.exp(-((distances / width) ** 2))
    weights[weights < LEAST_WEIGHT] = 0.0
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))


def _coordinates(
    examples: Sequence[Mapping[str, Any]], series: Sequence[str], stations: Sequence[str], group: str
) -> np.ndarray | None:
    """Return latitude and longitude of each station, degrees, (stations, 2); None where one is not known."""
    names = [next((n for n in series if n.lower() in known), "") for known in (LATITUDES, LONGITUDES)]
    if not all(names):
        return None
    found: dict[str, list[float]] = {}
    for example in examples:
        cells = [unpack(example.get(name) or b"") for name in names]
        known = [float(np.nanmedian(cell)) for cell in cells if np.isfinite(cell).any()]
        if len(known) == len(names):
            found[example.get(group) or ""] = known
    if any(station not in found for station in stations):
        return None
    return np.array([found[station] for station in stations])


def _kilometres(places: np.ndarray) -> np.ndarray:
    """Return great-circle distances by the haversine formula (Sinnott 1984)."""
    latitude, longitude = np.radians(places).T
    half = np.sin((latitude[:, None] - latitude) / 2) ** 2
    half += np.cos(latitude[:, None]) * np.cos(latitude) * np.sin((longitude[:, None] - longitude) / 2) ** 2
    return np.asarray(2 * EARTH_KM * np.arcsin(np.sqrt(half.clip(0, 1))))


def _correlations(readings: np.ndarray) -> np.ndarray:
    """Return the correlation of each two stations over the rows where both were read; 0 where they never were."""
    count = readings.shape[1]
    found = np.eye(count)
    for one in range(count):
        for other in range(one):
            both = readings[:, [one, other]].astype(np.float64)
            both = both[np.isfinite(both).all(axis=1)]
            spread = both.std(axis=0) if len(both) > 2 else np.zeros(2)
            if (spread > 0).all():
                value = float(((both - both.mean(axis=0)) / spread).prod(axis=1).mean())
                found[one, other] = found[other, one] = value
    return found
