"""Forecasters: from the last readings of several series to the next ones of the first, and how unsure they are."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.network import Network

LEAST_SPREAD = 1e-3
"""In standard deviations: the least that a step counts as unsure."""
SMALL = 0.125
"""Standard deviations from 0 up to which changes are added to a reading; beyond, they multiply it."""
MOST = 12.0
"""Compressed readings beyond this stand for nothing; it is some ten thousand standard deviations."""


class _Recurrent(nn.Module):
    """The last state of recurrent layers."""

    def __init__(self, width: int, hidden_size: int, num_layers: int, dropout: float) -> None:
        super().__init__()
        sizes = [width] + [hidden_size] * (num_layers - 1)
        self.layers = nn.ModuleList(nn.LSTM(size, hidden_size, batch_first=True) for size in sizes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, series: Tensor) -> Tensor:
        states = series
        for number, layer in enumerate(self.layers):
            states, _ = layer(self.dropout(states) if number else states)
        last: Tensor = states[:, -1]
        return last


class _Convolutional(nn.Module):
    """The last place of filters that look back only, each layer twice as far as the one before."""

    def __init__(self, width: int, hidden_size: int, num_layers: int, dropout: float) -> None:
        super().__init__()
        self.first = nn.Conv1d(width, hidden_size, 1)
        self.layers = nn.ModuleList(
            nn.Conv1d(hidden_size, hidden_size, 3, dilation=2**number) for number in range(num_layers)
        )
        self.dropout = nn.Dropout(dropout)

    def forward(self, series: Tensor) -> Tensor:
        seen = self.first(series.transpose(1, 2))  # (rows, hidden_size, past)
        for number, layer in enumerate(self.layers):
            back = functional.pad(seen, (2 * 2**number, 0))
            seen = seen + self.dropout(functional.relu(layer(back)))
        last: Tensor = seen[:, :, -1]
        return last


class SeriesForecaster(Network):
    """A body over the past beside the calendar, hidden layers, and all steps at once as changes from the last reading.

    Sources: lstm: Hochreiter and Schmidhuber (1997), section 4, all steps at once as Taieb and Hyndman (2014) call
    multi-output; tcn: Bai, Kolter and Koltun (2018), An empirical evaluation of generic convolutional and recurrent
    networks, section 3.

    Args:
        body: "lstm" or "tcn".
        width: Numbers of each reading: those of all series and their marks.
        context: Numbers of calendar and category.
        steps: Steps to forecast.
        hidden_size: Numbers of a state.
        num_layers: Layers of the body.
        dropout: Share of the numbers left out in training.
        mean: Of the series that is forecast.
        scale: Its standard deviation.
    """

    name = "series_forecaster"
    axes = dict.fromkeys(("series", "context", "level"), ("rows",))

    def __init__(
        self,
        body: str,
        width: int,
        context: int,
        steps: int,
        hidden_size: int,
        num_layers: int,
        dropout: float,
        mean: float,
        scale: float,
    ) -> None:
        super().__init__()
        bodies = {"lstm": _Recurrent, "tcn": _Convolutional}
        self.body = bodies[body](width, hidden_size, num_layers, dropout)
        self.head = nn.Sequential(
            nn.Linear(hidden_size + context, 2 * hidden_size),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(2 * hidden_size, 2 * steps),
        )
        self.steps, self.mean, self.scale = steps, mean, scale

    def forward(self, series: Tensor, context: Tensor, level: Tensor) -> Tensor:  # type: ignore[override]
        """Return (rows, steps, 2): each reading, and how unsure the model is of it.

        Args:
            series: (rows, past, width), scaled.
            context: (rows, context).
            level: (rows, 1), the last known reading, scaled.
        """
        state = self.body(series)
        said = self.head(torch.cat([state, context], dim=1)).float()
        small = SMALL * self.scale
        # As in `runtimes.step_trees.compressed`: a haze that halves is one change, whatever it was.
        last = torch.asinh((level * self.scale + self.mean) / small)
        values = small * torch.sinh((last + said[:, : self.steps]).clamp(-MOST, MOST))
        spreads = (functional.softplus(said[:, self.steps :]) + LEAST_SPREAD) * self.scale
        return torch.stack([values, spreads], dim=2)
