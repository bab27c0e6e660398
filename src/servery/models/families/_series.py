"""What the recipes that forecast have in common: the columns they read, the loss of a network, estimates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.data.series import stations_in, unpack
from servery.errors import DataError
from servery.models.encoder import Encoder
from servery.models.encoders.windows import Windows
from servery.models.families._assembly import columns_for
from servery.models.families._examples import EncodedExamples
from servery.models.families._network import TRAINING, NetworkRecipe, NetworkSize
from servery.models.recipe import Objective, Work
from servery.nn.network import Network
from servery.tasks.task import Calibration, LearnableTask

TASKS = frozenset({"forecasting"})
KINDS = frozenset({Kind.SERIES, Kind.CATEGORY, Kind.TIME})
VALIDATION_BATCH = 1024
SPREAD_SHARE = 0.1
"""Of the loss that teaches how unsure a step is; the forecast itself is what counts."""

SERIES_TRAINING: Mapping[str, Any] = {
    **{name: value for name, value in TRAINING.items() if name not in ("label_smoothing", "class_weights")},
    "average_decay": 0.99,
    "past": 0,
    "learning_rate": 5e-4,
    "hidden_size": 32,
    "num_layers": 1,
    "dropout": 0.2,
}


def series_columns(dataset: Dataset) -> tuple[Column, ...]:
    """Return series, categories and times; those of other stations one by one are left to graphs.

    Raises:
        DataError: There is no series to look back on.
    """
    columns = columns_for(dataset, KINDS)
    if not any(column.kind is Kind.SERIES for column in columns):
        raise DataError(
            "There is no series to look back on.", hint="give a column the kind series", param="data"
        )
    stations = stations_in(series_names(columns))
    return tuple(column for column in columns if column.name not in stations)


def series_names(columns: Sequence[Column]) -> list[str]:
    """Return the names of the series; the first one is forecast."""
    return [column.name for column in columns if column.kind is Kind.SERIES]


def lengths_of(dataset: Dataset) -> tuple[int, int, int]:
    """Return readings looked back on, steps to forecast and number of series, for estimates."""
    series = series_names(dataset.inputs)
    past = len(unpack(dataset[series[0]][0])) if series else 1
    return past, len(unpack(dataset[dataset.target.name][0])), len(series) - len(stations_in(series))


class ForecastObjective:
    """The mean absolute error in standard deviations, and how far the spread is from it; watched is the task's metric.

    Args:
        task: Measures the validation outputs.
        validation: Encoded validation examples.
        scale: Standard deviation of the series.
        weights: Of each step in the loss, (steps,); None counts all alike.
    """

    def __init__(
        self,
        task: LearnableTask,
        validation: EncodedExamples,
        scale: float,
        weights: Tensor | None = None,
    ) -> None:
        self.task, self.validation, self.scale, self.weights = task, validation, scale, weights
        self.primary_metric = task.primary_metric

    def loss(self, network: Network, inputs: dict[str, Tensor], targets: Tensor) -> Tensor:
        """Return the loss of a batch, a scalar; steps without a reading do not count."""
        outputs = network(**inputs).float() / self.scale
        known = torch.isfinite(targets)
        truth = torch.where(known, targets, 0.0).float() / self.scale
        errors = (outputs[:, :, 0] - truth).abs()
        # The median error of such rows: half of them lie farther away.
        spread_errors = (outputs[:, :, 1] - errors.detach()).abs()
        losses: Tensor = (errors + SPREAD_SHARE * spread_errors) * known
        if self.weights is not None:
            losses = losses * self.weights.to(losses.device)
        return losses.sum() / known.sum().clamp(min=1)

    def validate(self, network: Network) -> dict[str, float]:
        """Return the metrics of the validation part."""
        return self.task.measure(self.validation.targets.numpy(), self.outputs(network), Calibration())

    def outputs(self, network: Network) -> np.ndarray:
        """Return the outputs of the validation part, float32, (rows, steps, 2)."""
        device = next(network.parameters()).device
        outputs = np.empty((*self.validation.targets.shape, 2), np.float32)
        with torch.inference_mode():
            for rows in self.validation.order(0, 0, VALIDATION_BATCH):
                inputs = {name: array.to(device) for name, array in self.validation.inputs(rows).items()}
                outputs[rows] = network(**inputs).float().cpu().numpy()
        return outputs


class ForecastRecipe(NetworkRecipe):
    """A network that reads the past of all series at once and puts out all steps at once."""

    form = "series"
    tasks = TASKS
    network = "series_forecaster"
    body: ClassVar[str]
    least_epochs = 4
    most_epochs = 20
    least_steps = 1_500
    largest_batch = 256
    rows_per_batch_row = 100

    def columns(self, dataset: Dataset) -> tuple[Column, ...]:
        """Return series, categories and times."""
        return series_columns(dataset)

    def fit_encoder(
        self, work: Work, columns: tuple[Column, ...], examples: Sequence[Mapping[str, Any]]
    ) -> Encoder:
        """Learn scales and categories."""
        return Windows.fit(examples, columns, "network", work.hyperparameters["past"])

    def examples(
        self,
        work: Work,
        encoder: Encoder,
        rows: Sequence[Mapping[str, Any]],
        targets: np.ndarray,
        is_training: bool,
    ) -> EncodedExamples:
        """Encode the rows."""
        return EncodedExamples(encoder.encode(rows, cut=True), targets)

    def arguments(
        self, work: Work, encoder: Encoder, examples: EncodedExamples, labels: int
    ) -> dict[str, Any]:
        """Return the sizes found in the data and where the series lies."""
        assert isinstance(encoder, Windows)
        return {
            "body": self.body,
            "width": 2 * len(encoder.series),
            "context": encoder.context_size,
            "steps": examples.targets.shape[1],
            **{name: work.hyperparameters[name] for name in ("hidden_size", "num_layers", "dropout")},
            "mean": float(encoder.means[0]),
            "scale": float(encoder.scales[0]),
        }

    def objective(
        self,
        work: Work,
        targets: np.ndarray,
        validation: EncodedExamples,
        labels: int,
        hyperparameters: Mapping[str, Any],
    ) -> Objective:
        """Return the absolute error."""
        return ForecastObjective(work.task, validation, float(np.nanstd(targets)) or 1.0)

    def size(self, dataset: Dataset, hyperparameters: Mapping[str, Any]) -> NetworkSize:
        """Count a layer for each reading."""
        past, steps, series = lengths_of(dataset)
        past = hyperparameters["past"] or past
        hidden, layers = hyperparameters["hidden_size"], hyperparameters["num_layers"]
        a_reading = 4 * hidden * (2 * series + hidden) + (layers - 1) * 8 * hidden**2
        weights = a_reading + 2 * hidden * (hidden + 40) + 4 * hidden * steps
        reason = f"{past} readings of {series} series each"
        return NetworkSize(past * a_reading + weights, weights, 8 * past * series, reason)
