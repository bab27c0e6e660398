"""The graph-temporal recipe: what all stations saw, along a given graph and a learned one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from servery.data.columns import Column
from servery.data.dataset import Dataset
from servery.data.series import stations_in, unpack
from servery.errors import DataError
from servery.models.encoder import Encoder
from servery.models.encoders.stations import Stations
from servery.models.families._assembly import columns_for
from servery.models.families._examples import EncodedExamples
from servery.models.families._network import NetworkSize
from servery.models.families._series import (
    KINDS,
    SERIES_TRAINING,
    ForecastObjective,
    ForecastRecipe,
    lengths_of,
    series_names,
)
from servery.models.families._station_examples import Shifts, StationExamples
from servery.models.recipe import Objective, Work

GRAPHS = ("both", "given", "learned", "none")
STATE = 64


class GraphTemporal(ForecastRecipe):
    """Gated filters over time and graph convolutions over the stations."""

    name = "graph-temporal"
    title = "Graph WaveNet of the stations"
    summary = (
        "Gated filters over the past of all stations and graph convolutions between them, along a graph given by "
        "distances or correlations and one that is learned (Wu et al. 2019, Graph WaveNet, sections 3.2 and 3.3)."
    )
    network = "graph_forecaster"
    body = "graph"
    defaults = {
        **{name: value for name, value in SERIES_TRAINING.items() if name != "num_layers"},
        "learning_rate": 2e-3,
        "weight_decay": 0.02,
        "average_decay": 0.998,
        "batch_size": 288,
        "epochs": 6,
        "graph": "both",
        "hidden_size": 32,
        "graph_size": 24,
        "dropout": 0.3,
        "earlier_steps": 4,
    }
    search_space = {
        "graph": GRAPHS,
        "learning_rate": (1e-3, 2e-3),
        "dropout": (0.2, 0.3, 0.5),
    }

    def columns(self, dataset: Dataset) -> tuple[Column, ...]:
        """Return series, those of the stations among them, categories and times.

        Raises:
            DataError: There are no stations.
        """
        columns = columns_for(dataset, KINDS)
        if not stations_in(series_names(columns)):
            raise DataError(
                "There are no stations, or more than a graph is drawn of.",
                hint="give readings with a column `station` of 2 to 50 names, or choose another recipe",
                param="data",
            )
        return columns

    def fit_encoder(
        self, work: Work, columns: tuple[Column, ...], examples: Sequence[Mapping[str, Any]]
    ) -> Stations:
        """Learn scales, categories and how far the stations are from each other.

        Raises:
            DataError: The graph that is asked for is none.
        """
        if work.hyperparameters["graph"] not in GRAPHS:
            raise DataError(
                f"graph is {work.hyperparameters['graph']!r}; expected one of {', '.join(GRAPHS)}.",
                param="graph",
            )
        encoder = Stations.fit(examples, columns, work.hyperparameters["past"])
        told = "kilometres" if encoder.is_map else "one minus the correlation of their readings"
        work.progress.say("Graph", f"{len(encoder.stations)} stations, apart by {told}")
        return encoder

    def examples(
        self,
        work: Work,
        encoder: Encoder,
        rows: Sequence[Mapping[str, Any]],
        targets: np.ndarray,
        is_training: bool,
    ) -> StationExamples:
        """Encode the rows, what the stations saw once for each moment."""
        assert isinstance(encoder, Stations)
        keys = [tuple(row.get(name) for name in encoder.panel.series) for row in rows]
        numbers = {key: number for number, key in enumerate(dict.fromkeys(keys))}
        moments = np.array([numbers[key] for key in keys], np.int64)
        firsts = {number: row for row, number in reversed(list(enumerate(moments.tolist())))}
        around = encoder.around([rows[firsts[number]] for number in range(len(numbers))])
        arrays = {**encoder.own(rows), "own": encoder.placed(rows)}
        shifts = _shifts(work, encoder, rows, targets.shape[1]) if is_training else None
        return StationExamples(arrays, around, moments, targets, shifts)

    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Return the sizes found in the data, and the given graph."""
        assert isinstance(encoder, Stations)
        asked = work.hyperparameters
        return {
            "width": 2 * len(encoder.windows.series),
            "past": encoder.past,
            "context": encoder.windows.context_size,
            "steps": examples.targets.shape[1],
            "given": encoder.weights.round(6).tolist() if asked["graph"] in ("both", "given") else [],
            "learns_graph": asked["graph"] in ("both", "learned"),
            "count": len(encoder.stations),
            **{n: asked[n] for n in ("hidden_size", "graph_size", "dropout")},
            "scale": float(encoder.windows.scales[0]),
        }

    def objective(
        self,
        work: Work,
        targets: np.ndarray,
        validation: EncodedExamples,
        labels: int,
        hyperparameters: Mapping[str, Any],
    ) -> Objective:
        """Return the absolute error; near steps weigh more: errors of a random walk grow with the root of the steps."""
        weights = 1.0 / np.sqrt(np.arange(1, targets.shape[1] + 1))
        scale = float(np.nanstd(targets)) or 1.0
        return ForecastObjective(work.task, validation, scale, torch.tensor(weights / weights.mean()).float())

    def size(self, dataset: Dataset, hyperparameters: Mapping[str, Any]) -> NetworkSize:
        """Count the filters at the places of all layers: twice those of the first, as each has half of them."""
        past, steps, series = lengths_of(dataset)
        past = hyperparameters["past"] or past
        hidden, around = hyperparameters["hidden_size"], hyperparameters["graph_size"]
        stations = len(stations_in(series_names(dataset.inputs)))
        layers = max(past - 1, 1).bit_length()
        places = past * (2 * series * hidden + 6 * hidden**2)
        # The stations of a moment are computed once for all their rows.
        places += past * (2 * around + 6 * around**2 + 3 * around**2 + 2 * stations * around)
        told = layers * (hidden + around) * STATE + 12 * series * STATE + 2 * STATE * (3 * STATE + 2 * steps)
        weights = layers * (6 * hidden**2 + 9 * around**2) + told
        reason = f"{past} readings of {series} series and {stations} stations each"
        return NetworkSize(places + told, weights, 8 * past * (series + 1), reason)


def _shifts(work: Work, encoder: Stations, rows: Sequence[Mapping[str, Any]], steps: int) -> Shifts | None:
    """Return how rows are looked at earlier; None where the distance of readings is not known."""
    told = work.train.source.facts.get("step_seconds")
    most = min(int(work.hyperparameters["earlier_steps"]), steps - 1, encoder.past - 1)
    if told is None or most < 1:
        return None
    first = encoder.windows.series[0]
    cells = [unpack(row[first] or b"")[-encoder.past :] for row in rows]
    recent = np.full((len(rows), most), np.nan)
    levels = np.empty((len(rows), most + 1), np.float32)
    otherwise = float(encoder.windows.means[0])
    for row, cell in enumerate(cells):
        last = cell[-most:]
        recent[row, most - len(last) :] = last
        for by in range(most + 1):
            known = cell[: len(cell) - by]
            known = known[np.isfinite(known)]
            levels[row, by] = known[-1] if len(known) else otherwise
    times = len(encoder.windows.times)
    return Shifts(most, float(told) / 3600.0, recent, levels, times)


GRAPH_TEMPORAL = GraphTemporal()
