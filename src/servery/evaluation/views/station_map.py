"""What a report shows of a graph of stations: a map with a forecast, and whose silence is felt where."""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np

from servery.data.series import pack, unpack
from servery.evaluation import figures
from servery.evaluation.figure import Figure, Key
from servery.evaluation.numbers import shown
from servery.evaluation.view import Case, View
from servery.models.encoders.stations import Stations
from servery.tasks.forecasting import Forecasting, readings_in
from servery.tasks.task import LearnableTask

SHOWN_STEP = 6
"""Steps ahead of the forecast on the map."""
MOMENTS = 6
"""At which stations are silenced one after the other."""
MOST_EDGES_EACH = 2


class Place(msgspec.Struct, frozen=True):
    """A station: where it is drawn, what was forecast, what came, and what the last reading was."""

    name: str
    x: float
    y: float
    said: float
    came: float | None
    last: float | None


class Felt(msgspec.Struct, frozen=True):
    """How far the forecast of `there` moves, on average over steps and moments, when `silent` is silent."""

    silent: str
    there: str
    change: float


class StationMap(msgspec.Struct, frozen=True):
    """What the view found; without places there is no graph."""

    places: tuple[Place, ...] = ()
    felt: tuple[Felt, ...] = ()
    step: int = 0
    is_map: bool = False
    line: int = 0


class StationMapView(View):
    """The stations with a forecast, and the edges that were measured by silencing one station at a time."""

    name = "station_map"

    def accepts(self, task: LearnableTask) -> bool:
        """Whether the task is forecasting."""
        return isinstance(task, Forecasting)

    def look(self, case: Case) -> StationMap:
        """Ask at some moments for every station, once with all of them and once without each."""
        encoder = case.predictor.encoder
        if not isinstance(encoder, Stations) or not encoder.group:
            return StationMap()
        moments = _moments(case, encoder)
        if not moments:
            return StationMap()
        rows = [row for moment in moments for row in moment]
        examples = [case.test.example(row) for row in rows]
        usual = readings_in(case.predictor.outputs(examples))
        count = len(encoder.stations)
        felt = np.zeros((count, count))  # (silent, there)
        for silent, column in enumerate(encoder.panel.series):
            gone = [{**example, column: pack([None] * encoder.past)} for example in examples]
            moved = np.abs(readings_in(case.predictor.outputs(gone)) - usual).mean(axis=1)
            felt[silent] = moved.reshape(len(moments), count).mean(axis=0)
        return _map(case, encoder, moments[len(moments) // 2], felt)

    def figures(self, found: Any) -> list[Figure]:
        """Return the map; none without a graph."""
        seen = msgspec.convert(found, StationMap)
        return [_figure(seen)] if seen.places else []


def _moments(case: Case, encoder: Stations) -> list[list[int]]:
    """Return test rows of some moments that have one for every station, in the order of the stations."""
    by_moment: dict[tuple[Any, ...], dict[str, int]] = {}
    for row in range(len(case.test)):
        example = case.test.example(row)
        key = tuple(example.get(name) for name in encoder.panel.series)
        by_moment.setdefault(key, {})[str(example.get(encoder.group))] = row
    whole = [rows for rows in by_moment.values() if rows.keys() >= set(encoder.stations)]
    chosen = np.unique(np.linspace(0, len(whole) - 1, min(MOMENTS, len(whole))).round().astype(int))
    return [[whole[place][name] for name in encoder.stations] for place in chosen.tolist() if whole]


def _map(case: Case, encoder: Stations, rows: list[int], felt: np.ndarray) -> StationMap:
    step = min(SHOWN_STEP, case.targets.shape[1])
    said, came = readings_in(case.outputs)[rows, step - 1], case.targets[rows, step - 1]
    x, y = _laid_out(encoder.distances).T
    last = [_last(unpack(case.test.example(row)[encoder.windows.series[0]])) for row in rows]
    places = tuple(
        Place(name, float(x[n]), float(y[n]), float(said[n]), _known(came[n]), last[n])
        for n, name in enumerate(encoder.stations)
    )
    np.fill_diagonal(felt, 0.0)
    edges = [
        Felt(encoder.stations[silent], encoder.stations[there], float(felt[silent, there]))
        for there in range(len(felt))
        for silent in np.argsort(-felt[:, there])[:MOST_EDGES_EACH].tolist()
        if felt[silent, there] > 0
    ]
    return StationMap(places, tuple(edges), step, encoder.is_map, int(case.test.line_numbers[rows[0]]))


def _laid_out(distances: np.ndarray) -> np.ndarray:
    """Return places in a plane whose distances are as near as can be, (stations, 2), between 0 and 1.

    Source: classical scaling, Torgerson (1952), Multidimensional scaling: I. Theory and method.
    """
    count = len(distances)
    centred = np.eye(count) - 1.0 / count
    values, vectors = np.linalg.eigh(-0.5 * centred @ distances**2 @ centred)
    places = vectors[:, -2:] * np.sqrt(values[-2:].clip(0.0)) if count > 1 else np.zeros((count, 2))
    places = np.pad(places, ((0, 0), (0, 2 - places.shape[1])))
    low, high = places.min(axis=0), places.max(axis=0)
    return np.asarray((places - low) / np.maximum(high - low, 1e-9))


def _last(readings: np.ndarray) -> float | None:
    known = readings[np.isfinite(readings)]
    return float(known[-1]) if len(known) else None


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _figure(seen: StationMap) -> Figure:
    places = {place.name: place for place in seen.places}
    most = max((edge.change for edge in seen.felt), default=1.0)
    highest = max(place.said for place in seen.places)

    def paint(axes: Any) -> None:
        for edge in seen.felt:
            start, end = places[edge.silent], places[edge.there]
            axes.annotate(
                "",
                (end.x, end.y),
                (start.x, start.y),
                arrowprops={
                    "arrowstyle": "->",
                    "color": figures.SOFT,
                    "linewidth": 0.5 + 2.0 * edge.change / most,
                    "shrinkA": 8,
                    "shrinkB": 9,
                    "connectionstyle": "arc3,rad=0.12",
                },
            )
        for place in seen.places:
            size = 50 + 250 * max(place.said, 0.0) / max(highest, 1e-9)
            axes.scatter([place.x], [place.y], s=size, color=figures.ACCENT, alpha=0.75, zorder=3)
            axes.annotate(
                f"{place.name}\n{place.said:.0f}",
                (place.x, place.y),
                (0, 12),
                textcoords="offset points",
                ha="center",
                fontsize=8,
            )
        axes.set_xlim(-0.15, 1.15)
        axes.set_ylim(-0.12, 1.22)
        axes.set_axis_off()

    where = (
        "by their coordinates" if seen.is_map else "by how alike their readings go: no coordinates were given"
    )
    strongest = max(seen.felt, key=lambda edge: edge.change, default=None)
    felt = (
        f" Most felt is the silence of {strongest.silent} at {strongest.there}: its forecast moves by "
        f"{shown(strongest.change)} on average."
        if strongest
        else ""
    )
    return Figure(
        "The stations and a forecast",
        f"What is forecast {seen.step} step(s) ahead of line {seen.line}, the larger the more; stations lie {where}. "
        f"An arrow leads from a station to one whose forecast moves most when it is silent.{felt}",
        figures.draw(paint, 5.6, 4.6, "stations"),
        ("Station", "Last reading", "Said", "Came", "Moves most without"),
        tuple(
            (
                place.name,
                "–" if place.last is None else shown(place.last),
                shown(place.said),
                "–" if place.came is None else shown(place.came),
                ", ".join(f"{e.silent} ({shown(e.change)})" for e in seen.felt if e.there == place.name)
                or "–",
            )
            for place in seen.places
        ),
        (Key("forecast"), Key("is felt at", "soft")),
    )


STATION_MAP = StationMapView()
