"""Forecasting: what will the next readings of a series be, and between which bounds?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import msgspec
import numpy as np

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.data.series import unpack
from servery.errors import DataError
from servery.metrics.forecasts import ForecastErrors
from servery.metrics.intervals import (
    COVERAGES,
    LEAST_COVERAGE,
    MOST_COVERAGE,
    PROMISED,
    conformal_margins,
    margin_at,
)
from servery.tasks._rows import refuse_rows
from servery.tasks.task import Answer, Calibration, Judgement, LearnableTask, Parameters

FEW_READINGS = 2
"""With less there is no telling which way a series goes."""


class ForecastParameters(Parameters, frozen=True):
    """What a caller may ask.

    Attributes:
        coverage: The share of readings that the bands are to hold.
        steps: Steps ahead that are answered; null answers as many as the model learned.
    """

    coverage: Annotated[float, msgspec.Meta(ge=LEAST_COVERAGE, le=MOST_COVERAGE)] = PROMISED
    steps: Annotated[int, msgspec.Meta(ge=1, le=10_000)] | None = None


class ForecastAnswer(Answer, frozen=True):
    """The next readings, a step apart.

    Attributes:
        values: The best guess of each step.
        low: Lower ends of the band; empty where the model was never held against held-out rows.
        high: Upper ends.
        coverage: Share of readings that such bands hold.
        readings: Readings of the series that the forecast looked back on, the missing ones not counted.
    """

    values: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    coverage: float
    readings: int | None = None


class Forecasting(LearnableTask):
    """The next steps of a series.

    `targets` are float64, (rows, steps), NaN where a reading is missing. `outputs` are float32, (rows, steps), or
    (rows, steps, 2): the reading, and how unsure the model is of it, in the same unit and above 0.
    `Calibration.margins` holds those of the first step, then those of the second ...
    """

    name = "forecasting"
    title = {"en": "Forecasting", "zh": "预测"}
    summary = "What will the next readings be, and between which bounds?"
    primary_metric = "d2"
    quality_title = "nearness of the forecast, 1 at the truth, 0 from two standard deviations on"
    parameters = ForecastParameters
    answer = ForecastAnswer

    def accepts(self, target: Column) -> bool:
        """Whether the target is a series."""
        return target.kind is Kind.SERIES

    def encode_targets(self, dataset: Dataset, labels: Sequence[str]) -> np.ndarray:
        """Return the readings to come, float64, (rows, steps).

        Raises:
            DataError: A row's are of another number than the others', or all missing.
        """
        series = [unpack(cell) for cell in dataset[dataset.target.name]]
        lengths = np.array([len(one) for one in series])
        steps = int(np.bincount(lengths).argmax())
        if not steps:
            raise DataError(f"The target '{dataset.target.name}' holds no reading.", param="target")
        faults = {
            int(row): f"{lengths[row]} readings, where others have {steps}"
            for row in np.flatnonzero(lengths != steps)
        }
        refuse_rows(dataset, faults)
        targets = np.stack(series).astype(np.float64)
        empty = np.flatnonzero(~np.isfinite(targets).any(axis=1))
        refuse_rows(dataset, {int(row): "every reading is missing" for row in empty})
        return targets

    def calibrate(self, targets: np.ndarray, outputs: np.ndarray) -> Calibration:
        """Fit the margins of every step: distances in units of what the model says it is unsure by.

        Source: Lei et al. (2018), Distribution-free predictive inference for regression, section 5.2; a step by
        itself: Stankeviciute, Alaa and van der Schaar (2021), Conformal time-series forecasting, section 3.
        """
        distances = np.abs(targets - readings_in(outputs)) / spreads(outputs)
        margins: list[float] = []
        for step in distances.T:
            known = conformal_margins(step[np.isfinite(step)])
            margins += known or margins[-len(COVERAGES) :]
        return Calibration(fitted_on=len(targets), margins=tuple(margins))

    def measure(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> dict[str, float]:
        """Return errors in the target's unit, over all steps and by step, and whether bands hold what they promise."""
        metrics = self.errors(targets, outputs, calibration).measure(np.arange(len(targets)))
        return {name: value for name, value in metrics.items() if np.isfinite(value)}

    def judge(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> Judgement:
        """Return the errors of each row."""
        return self.errors(targets, outputs, calibration)

    def errors(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> ForecastErrors:
        """Return the errors of each row and step."""
        predicted = readings_in(outputs)
        errors, far = np.abs(targets - predicted), np.abs(targets - np.nanmedian(targets))
        half = half_widths(outputs, calibration, PROMISED)
        if half is None:
            return ForecastErrors(errors, far)
        held = np.where(np.isfinite(targets), errors <= half, np.nan)
        return ForecastErrors(errors, far, held, 2 * half, PROMISED)

    def trivial_outputs(self, targets: np.ndarray, label_count: int, rows: int) -> np.ndarray:
        """Return the median of each step of the training targets, for every row."""
        known = np.nanmedian(targets)
        medians = [np.nanmedian(step) if np.isfinite(step).any() else known for step in targets.T]
        return np.tile(np.array(medians, np.float32), (rows, 1))

    def quality(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Return one minus the mean error in double standard deviations of the targets, at least 0, (rows,)."""
        scale = 2 * float(np.nanstd(targets)) or 1.0
        errors = np.nanmean(np.abs(targets - readings_in(outputs)), axis=1)
        return np.asarray(np.clip(1.0 - errors / scale, 0.0, 1.0))

    def decode(
        self,
        outputs: np.ndarray,
        labels: Sequence[str],
        calibration: Calibration,
        parameters: Parameters,
    ) -> list[Answer]:
        """Return the steps of each row with their band."""
        asked = parameters if isinstance(parameters, ForecastParameters) else ForecastParameters()
        values = readings_in(outputs)[:, : asked.steps]
        half = half_widths(outputs, calibration, asked.coverage)
        if half is None:
            return [ForecastAnswer(tuple(row), (), (), asked.coverage) for row in values.tolist()]
        half = half[:, : asked.steps]
        rows = zip(values.tolist(), (values - half).tolist(), (values + half).tolist(), strict=True)
        return [ForecastAnswer(tuple(v), tuple(low), tuple(high), asked.coverage) for v, low, high in rows]

    def completed(self, answers: Sequence[Answer], examples: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """Return the answers with how many readings each looked back on."""
        return [
            msgspec.structs.replace(answer, readings=_readings(example))
            if isinstance(answer, ForecastAnswer)
            else answer
            for answer, example in zip(answers, examples, strict=True)
        ]

    def notices(self, answers: Sequence[Answer]) -> Mapping[str, str]:
        """Say where a forecast stands on next to nothing."""
        short = sum(
            isinstance(a, ForecastAnswer) and a.readings is not None and a.readings < FEW_READINGS
            for a in answers
        )
        if not short:
            return {}
        return {
            "short_history": f"{short} forecast(s) look back on less than {FEW_READINGS} readings: bands that were "
            "fitted on whole histories do not hold for them."
        }

    def best_label(self, answer: ForecastAnswer) -> str:
        """Return the one thing there is to explain: the mean of the steps."""
        return "mean"

    def score_of(self, answer: ForecastAnswer, label: str) -> float:
        """Return the mean of the steps: an effect is by how much it falls without a part."""
        return float(np.mean(answer.values))

    def hub_name(self, kinds: frozenset[Kind]) -> str:
        """Return "time-series-forecasting", the Hub's word; its clients cannot ask for it yet."""
        return "time-series-forecasting"

    def hub_answers(self, answers: Sequence[Answer], kinds: frozenset[Kind], is_batch: bool) -> Any:
        """Return a list of readings to come for each series."""
        rows = [list(answer.values) for answer in answers if isinstance(answer, ForecastAnswer)]
        return rows if is_batch else rows[0]


def readings_in(outputs: np.ndarray) -> np.ndarray:
    """Return the readings that are forecast, float64, (rows, steps)."""
    return np.asarray(outputs if outputs.ndim == 2 else outputs[:, :, 0], np.float64)


def spreads(outputs: np.ndarray) -> np.ndarray:
    """Return how unsure the model says it is of each step, float64, (rows, steps); 1 where it does not say."""
    if outputs.ndim == 2:
        return np.ones(outputs.shape)
    return np.maximum(outputs[:, :, 1].astype(np.float64), np.finfo(np.float32).tiny)


def half_widths(outputs: np.ndarray, calibration: Calibration, coverage: float) -> np.ndarray | None:
    """Return half the width of each step's band, (rows, steps); None without margins for these steps."""
    if len(calibration.margins) != outputs.shape[1] * len(COVERAGES):
        return None
    steps = np.array(calibration.margins).reshape(-1, len(COVERAGES))
    margins = np.array([margin_at(tuple(step), coverage) for step in steps])
    return np.asarray(spreads(outputs) * margins)


def _readings(example: Mapping[str, Any]) -> int:
    """Return the known readings of the first series of an example: the one that is forecast."""
    series = next((value for value in example.values() if isinstance(value, bytes)), b"")
    return int(np.isfinite(unpack(series)).sum())


FORECASTING = Forecasting()
