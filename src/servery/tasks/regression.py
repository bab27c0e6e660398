"""Regression: which number, and between which bounds does it lie?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import numpy as np

from servery.data.columns import Column, Kind, Role
from servery.data.dataset import Dataset
from servery.metrics.intervals import (
    LEAST_COVERAGE,
    MOST_COVERAGE,
    PROMISED,
    conformal_margins,
    interval_metrics,
    margin_at,
)
from servery.metrics.regression import error_metrics, r_squared
from servery.tasks._rows import refuse_rows
from servery.tasks.task import Answer, Calibration, LearnableTask, Parameters


class RegressionParameters(Parameters, frozen=True):
    """What a caller may ask: the share of answers whose interval is to hold the truth."""

    coverage: Annotated[float, msgspec.Meta(ge=LEAST_COVERAGE, le=MOST_COVERAGE)] = PROMISED


class RegressionAnswer(Answer, frozen=True):
    """A number and its interval.

    Attributes:
        value: The best guess.
        low: Lower end of the interval; null where the model was never held against held-out rows.
        high: Upper end.
        coverage: Share of such intervals that hold the truth.
    """

    value: float
    low: float | None
    high: float | None
    coverage: float


class Regression(LearnableTask):
    """One number a row.

    `targets` are float64, (rows,). `outputs` are float32, (rows, 1) or (rows, 2): the number, and how unsure the
    model is of it, in the same unit and above 0; one that does not say is as unsure of every row.
    """

    name = "regression"
    title = {"en": "Regression", "zh": "回归"}
    summary = "Which number, and between which bounds does it lie?"
    primary_metric = "r2"
    quality_title = "nearness of the prediction, 1 at the truth, 0 from two standard deviations on"
    parameters = RegressionParameters
    answer = RegressionAnswer

    def accepts(self, target: Column) -> bool:
        """Whether the target is a number."""
        return target.kind is Kind.NUMBER

    def encode_targets(self, dataset: Dataset, labels: Sequence[str]) -> np.ndarray:
        """Return the numbers, float64, (rows,).

        Raises:
            DataError: One is missing or not finite.
        """
        values = np.asarray(dataset[dataset.target.name], np.float64)
        refuse_rows(dataset, {int(row): "no finite number" for row in np.flatnonzero(~np.isfinite(values))})
        return values

    def calibrate(self, targets: np.ndarray, outputs: np.ndarray) -> Calibration:
        """Fit the margins of the intervals: distances in units of what the model says it is unsure by.

        Source: Lei et al. (2018), Distribution-free predictive inference for regression, section 5.2 (locally
        weighted split conformal).
        """
        unsure = spreads(outputs)
        distances = np.abs(targets - outputs[:, 0]) / unsure
        return Calibration(
            fitted_on=len(targets),
            margins=conformal_margins(distances),
            usual_spread=float(np.median(unsure)) if len(unsure) else 0.0,
        )

    def measure(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> dict[str, float]:
        """Return errors in the target's unit, and whether the intervals hold what they promise."""
        predicted = outputs[:, 0].astype(np.float64)
        metrics = {"r2": r_squared(targets, predicted), **error_metrics(targets, predicted)}
        if calibration.margins:
            half = margin_at(calibration.margins, PROMISED) * spreads(outputs)
            metrics |= interval_metrics(targets, predicted - half, predicted + half, PROMISED)
        return metrics

    def trivial_outputs(self, targets: np.ndarray, label_count: int, rows: int) -> np.ndarray:
        """Return the mean of the training targets, for every row."""
        return np.full((rows, 1), targets.mean(), np.float32)

    def quality(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Return one minus the error in double standard deviations of the targets, at least 0, (rows,)."""
        scale = 2 * float(targets.std()) or 1.0
        return np.asarray(np.clip(1.0 - np.abs(targets - outputs[:, 0]) / scale, 0.0, 1.0))

    def decode(
        self,
        outputs: np.ndarray,
        labels: Sequence[str],
        calibration: Calibration,
        parameters: Parameters,
    ) -> list[Answer]:
        """Return one number a row with its interval."""
        coverage = parameters.coverage if isinstance(parameters, RegressionParameters) else PROMISED
        values = outputs[:, 0].astype(np.float64)
        if not calibration.margins:
            return [RegressionAnswer(value, None, None, coverage) for value in values.tolist()]
        half = margin_at(calibration.margins, coverage) * spreads(outputs)
        rows = zip(values.tolist(), (values - half).tolist(), (values + half).tolist(), strict=True)
        return [RegressionAnswer(value, low, high, coverage) for value, low, high in rows]

    def best_label(self, answer: RegressionAnswer) -> str:
        """Return the one thing there is to explain."""
        return "value"

    def score_of(self, answer: RegressionAnswer, label: str) -> float:
        """Return the number: an effect is by how much it falls without a part."""
        return answer.value

    def output_tensors(self, labels: Sequence[str]) -> tuple[Column, ...]:
        """Return "value", and the ends of the interval, "low" and "high"."""
        return tuple(Column(name, Kind.TENSOR, Role.TARGET) for name in ("value", "low", "high"))

    def to_tensors(
        self, answers: Sequence[Answer], labels: Sequence[str], names: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """Return float32, (rows,); NaN for an end that is not known."""
        return {
            name: np.array([_number(getattr(answer, name)) for answer in answers], np.float32)
            for name in names
        }

    def hub_name(self, kinds: frozenset[Kind]) -> str:
        """Return "tabular-regression"."""
        return "tabular-regression"

    def hub_answers(self, answers: Sequence[Answer], kinds: frozenset[Kind], is_batch: bool) -> Any:
        """Return the bare numbers."""
        return [answer.value for answer in answers if isinstance(answer, RegressionAnswer)]


def spreads(outputs: np.ndarray) -> np.ndarray:
    """Return how unsure the model says it is of each row, float64, (rows,); 1 where it does not say."""
    if outputs.shape[1] < 2:
        return np.ones(len(outputs))
    return np.maximum(outputs[:, 1].astype(np.float64), np.finfo(np.float32).tiny)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value


REGRESSION = Regression()
