"""Stations as a graph: by kilometres where coordinates are given, by correlation where they are not."""

import numpy as np
import pytest

from servery.data.building import build_dataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.data.series_files import SeriesLayout
from servery.errors import ArtifactError, DataError
from servery.models.encoders._station_graph import weights_of
from servery.models.encoders.stations import Stations
from servery.models.families.graph_temporal import GRAPH_TEMPORAL

PLACES = {"North": (40.2, 116.4), "Middle": (40.0, 116.4), "South": (39.0, 117.0)}


def panel(has_places: bool, *, stations: tuple[str, ...] = tuple(PLACES)) -> Dataset:
    chance = np.random.default_rng(0)
    hours = np.arange(60)
    shared = 40 + 20 * np.sin(hours / 5)
    columns: dict[str, list[object]] = {
        name: [] for name in ("time", "station", "pm25", "latitude", "longitude")
    }
    for name in stations:
        own = shared if name != "South" else 40 + chance.normal(0, 20, 60)
        columns["time"] += list(np.datetime64("2026-01-01", "ns") + hours * np.timedelta64(1, "h"))
        columns["station"] += [name] * 60
        columns["pm25"] += (own + chance.normal(0, 1, 60)).tolist()
        columns["latitude"] += [PLACES[name][0]] * 60
        columns["longitude"] += [PLACES[name][1]] * 60
    if not has_places:
        del columns["latitude"], columns["longitude"]
    lines = np.arange(1, len(columns["time"]) + 1, dtype=np.int64)
    raw = RawTable({name: object_array(cells) for name, cells in columns.items()}, lines)
    rows = SeriesLayout(target="pm25", group="station", past=8, horizon=4, stride=2).rows(raw, "panel")
    kinds = {"origin": "time", "now": "time", "station": "category", "future": "series"}
    return build_dataset(
        rows, "panel", target="future", kinds=kinds, roles={"origin": "time", "now": "input"}
    )


def fitted(dataset: Dataset) -> Stations:
    return Stations.fit(list(dataset.examples()), dataset.inputs, 0)


def test_rows_of_one_moment_know_what_every_station_read() -> None:
    dataset = panel(has_places=False)
    by_station = {dataset.example(row)["station"]: dataset.example(row) for row in range(0, len(dataset), 25)}
    assert {"pm25@North", "pm25@Middle", "pm25@South"} <= by_station["North"].keys()
    for name, example in by_station.items():
        assert example[f"pm25@{name}"] == example["pm25"]
    assert dataset.source.facts["step_seconds"] == "3600"


def test_coordinates_make_kilometres() -> None:
    encoder = fitted(panel(has_places=True))
    assert encoder.is_map
    apart = encoder.distances[encoder.stations.index("North"), encoder.stations.index("Middle")]
    assert apart == pytest.approx(22.2, abs=0.1)  # a fifth of a degree
    assert encoder.weights[0, 1] > encoder.weights[0, 2]


def test_without_coordinates_stations_are_near_whose_readings_go_alike() -> None:
    encoder = fitted(panel(has_places=False))
    assert not encoder.is_map
    assert encoder.distances[0, 1] < 0.1 < encoder.distances[0, 2]
    assert np.allclose(encoder.weights.sum(axis=1), 1.0)


def test_a_station_of_its_own_is_a_graph_of_its_own() -> None:
    assert weights_of(np.zeros((1, 1))).tolist() == [[1.0]]


def test_missing_readings_are_marked_and_stations_that_are_not_known_have_no_place() -> None:
    dataset = panel(has_places=False)
    encoder = fitted(dataset)
    example = {**dataset.example(0), "pm25@South": None}
    batch = encoder.encode([example, {**example, "station": "Airport"}])
    assert batch["stations"].shape == (2, 3, 8, 2)
    assert batch["stations"][0, 2, :, 1].tolist() == [1.0] * 8
    assert batch["own"].sum(axis=1).tolist() == [1.0, 0.0]
    again = Stations.restore(encoder.state()).encode([example])
    assert np.array_equal(again["stations"][0], batch["stations"][0])


def test_a_torn_state_is_refused() -> None:
    state = fitted(panel(has_places=False)).state()
    with pytest.raises(ArtifactError, match="torn"):
        Stations.restore({**state, "distances": [[0.0]]})


def test_one_station_is_no_graph() -> None:
    with pytest.raises(DataError, match="no stations"):
        GRAPH_TEMPORAL.columns(panel(has_places=False, stations=("North",)))
