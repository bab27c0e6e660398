"""Forecaster over a graph of stations: gated filters over time, and between them what the neighbours saw."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.network import Network

LEAST_SPREAD = 1e-3
"""In standard deviations: the least that a step counts as unsure."""
SMALL = 0.125
"""Standard deviations from 0 up to which changes are added to a reading; beyond, they multiply it."""
MOST = 12.0
"""Compressed readings beyond this stand for nothing."""
EMBEDDING = 8
"""Numbers of a station as it sends, and as many as it receives."""
RECENT = 6
"""Readings that are read as they are besides."""
STATE = 64


class _Gated(nn.Module):
    """Filters of three readings, each place half as often as before: tanh of one times the sigmoid of another.

    The last place sees as much as the last of causal filters that are twice as far apart in each layer; the places
    that it does not depend on are not computed. Source: Wu et al. (2019), section 3.3.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.filters = nn.Conv1d(size, 2 * size, 3, stride=2)

    def forward(self, seen: Tensor) -> Tensor:
        said, gate = self.filters(functional.pad(seen, (1 + seen.shape[2] % 2, 0))).chunk(2, dim=1)
        return torch.tanh(said) * torch.sigmoid(gate)


def _halved(seen: Tensor) -> Tensor:
    """Return the means of each two places, the last ones together."""
    return functional.avg_pool1d(functional.pad(seen, (seen.shape[2] % 2, 0)), 2)


class GraphForecaster(Network):
    """All steps at once, from a station's own series and from what the graph of stations saw.

    Source: Wu et al. (2019), Graph WaveNet for deep spatial-temporal graph modeling: the learned graph is equation 5
    of section 3.2, a softmax over products of node embeddings; layers of gated filters and graph convolutions, section
    3.3 and figure 3. A given graph stands beside it (Li et al. 2018, section 2.2, one step of diffusion). Ours: a
    silent station is left out of the sums, and the filters halve the series from layer to layer.

    Args:
        width: Numbers of each reading of the own series, marks included.
        past: Readings that are looked back on.
        context: Numbers of calendar and category.
        steps: Steps to forecast.
        given: The given graph, (stations, stations), rows sum to 1; empty for none.
        learns_graph: Whether there is a learned one.
        count: Stations.
        hidden_size: Numbers of a state of the own series.
        graph_size: Numbers of a state of each station.
        dropout: Share of the numbers left out in training.
        scale: Standard deviation of the series that is forecast.
    """

    name = "graph_forecaster"
    axes = dict.fromkeys(("series", "context", "level", "stations", "own"), ("rows",))
    given: Tensor

    def __init__(
        self,
        width: int,
        past: int,
        context: int,
        steps: int,
        given: Sequence[Sequence[float]],
        learns_graph: bool,
        count: int,
        hidden_size: int,
        graph_size: int,
        dropout: float,
        scale: float,
    ) -> None:
        super().__init__()
        self.steps, self.scale = steps, scale
        self.recent, layers = min(RECENT, past), max(past - 1, 1).bit_length()
        self.has_given, self.learns_graph = bool(given), learns_graph
        self.register_buffer("given", torch.tensor(given or [[0.0]], dtype=torch.float32), persistent=False)
        if learns_graph:
            self.sends = nn.Parameter(0.5 * torch.randn(EMBEDDING, count))
            self.receives = nn.Parameter(0.5 * torch.randn(count, EMBEDDING))
        self.first = nn.Conv1d(width, hidden_size, 1)
        self.layers = nn.ModuleList(_Gated(hidden_size) for _ in range(layers))
        self.first_around = nn.Conv1d(2, graph_size, 1)
        self.layers_around = nn.ModuleList(_Gated(graph_size) for _ in range(layers))
        graphs = 1 + self.has_given + learns_graph
        self.mixes = nn.ModuleList(nn.Linear(graphs * graph_size, graph_size) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(graph_size) for _ in range(layers))
        self.told = nn.Linear(layers * hidden_size, STATE)
        self.told_around = nn.Linear(layers * graph_size, STATE)
        self.told_recent = nn.Linear(self.recent * width, STATE)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Sequential(
            nn.Linear(3 * STATE + context, 2 * STATE),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(2 * STATE, 2 * steps),
        )

    def forward(  # type: ignore[override]
        self,
        series: Tensor,
        context: Tensor,
        level: Tensor,
        stations: Tensor,
        own: Tensor,
        moment: Tensor | None = None,
    ) -> Tensor:
        """Return (rows, steps, 2): each reading, and how unsure the model is of it.

        Args:
            series: (rows, past, width), scaled.
            context: (rows, context).
            level: (rows, 1), the last known reading, in its unit.
            stations: (moments, stations, past, 2): scaled readings and marks of missing ones; a moment a row.
            own: (rows, stations), a 1 at the row's station.
            moment: int64 (rows,): where several rows share a moment, which one is theirs.
        """
        around = self._around(stations)  # (moments, stations, STATE)
        around = around if moment is None else around[moment]
        recent = functional.relu(self.told_recent(series[:, -self.recent :].flatten(1)))
        there = (own[:, :, None] * around).sum(dim=1)
        state = torch.cat([self._alone(series), recent, there, context], dim=1)
        said = self.head(state).float()
        small = SMALL * self.scale
        # As in `runtimes.step_trees.compressed`: a haze that halves is one change, whatever it was.
        values = small * torch.sinh((torch.asinh(level / small) + said[:, : self.steps]).clamp(-MOST, MOST))
        spreads = (functional.softplus(said[:, self.steps :]) + LEAST_SPREAD) * self.scale
        return torch.stack([values, spreads], dim=2)

    def learned(self) -> Tensor:
        """Return the learned graph, (stations, stations): how much each (row) takes of each, rows sum to 1."""
        return torch.softmax(functional.relu(self.receives @ self.sends), dim=1)

    def _alone(self, series: Tensor) -> Tensor:
        seen, told = self.first(series.transpose(1, 2)), []
        for layer in self.layers:
            seen = _halved(seen) + layer(seen)
            told.append(seen[:, :, -1])
        return functional.relu(self.told(self.dropout(torch.cat(told, dim=1))))

    def _around(self, stations: Tensor) -> Tensor:
        moments, count, past, _ = stations.shape
        graphs = self._graphs(stations)
        seen, told = self.first_around(stations.reshape(-1, past, 2).transpose(1, 2)), []
        for layer, mix, norm in zip(self.layers_around, self.mixes, self.norms, strict=True):
            came = layer(seen)
            # (moments, stations, places, size)
            came = came.reshape(moments, count, *came.shape[1:]).transpose(2, 3)
            taken = [came, *(torch.einsum("mij,mjps->mips", graph, came) for graph in graphs)]
            mixed = self.dropout(mix(torch.cat(taken, dim=3))).flatten(0, 1)
            seen = norm(_halved(seen).transpose(1, 2) + mixed).transpose(1, 2)
            told.append(seen[:, :, -1])
        state = functional.relu(self.told_around(self.dropout(torch.cat(told, dim=1))))
        return state.reshape(moments, count, STATE)

    def _graphs(self, stations: Tensor) -> list[Tensor]:
        """Return the graphs without what is silent, each (moments, stations, stations)."""
        speaks = (stations[..., 1].mean(dim=2) < 1.0).to(stations.dtype)  # (moments, stations)
        graphs = [self.given] if self.has_given else []
        graphs += [self.learned()] if self.learns_graph else []
        weighted = [graph * speaks[:, None] for graph in graphs]
        return [graph / graph.sum(dim=2, keepdim=True).clamp(min=1e-6) for graph in weighted]
