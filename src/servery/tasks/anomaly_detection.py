"""Anomaly detection: how unlike the usual rows is one, and in which columns?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import numpy as np

from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.metrics.anomalies import anomaly_metrics
from servery.metrics.intervals import LEAST_COVERAGE, MOST_COVERAGE, conformal_margins, margin_at
from servery.tasks.classification import CLASSIFICATION
from servery.tasks.task import Answer, Calibration, LearnableTask, Parameters

USUAL_FALSE_ALARM_RATE = 0.05
MOST_STANDING_OUT = 5
NEVER = 2.0
"""A threshold above every score: without held-out rows nothing is known of false alarms, so none is raised."""


class AnomalyParameters(Parameters, frozen=True):
    """What a caller may ask: the share of usual rows that may raise an alarm."""

    false_alarm_rate: Annotated[
        float, msgspec.Meta(ge=round(1 - MOST_COVERAGE, 9), le=round(1 - LEAST_COVERAGE, 9))
    ] = USUAL_FALSE_ALARM_RATE


class StandingOut(msgspec.Struct, frozen=True):
    """A column and by how much the score would fall if it held what it usually holds."""

    column: str
    effect: float


class AnomalyAnswer(Answer, frozen=True):
    """How unusual a row is.

    Attributes:
        score: From 0 to 1; usual rows are below 0.5 or thereabouts.
        is_anomaly: Whether it is above the threshold.
        threshold: Score that no more than the promised share of usual rows go over.
        false_alarm_rate: That share.
        label: The value that the target has for such rows.
        columns: Which stand out, the strongest first.
    """

    score: float
    is_anomaly: bool
    threshold: float
    false_alarm_rate: float
    label: str
    columns: tuple[StandingOut, ...]


class AnomalyDetection(LearnableTask):
    """A score a row, an alarm at a promised rate of false ones, and the columns that stand out.

    `targets` are int64, (rows,): 1 for an anomaly. `outputs` are float32, (rows, 1 + columns): the score, and by how
    much it would fall if each column held what it usually holds. `labels` are the target's usual and its unusual
    value, then the columns. The target is needed to judge and to promise the rate; recipes need not learn from it.
    """

    name = "anomaly-detection"
    title = {"en": "Anomaly detection", "zh": "异常检测"}
    summary = "How unlike the usual rows is one, and in which columns?"
    primary_metric = "average_precision"
    quality_title = "share of rows with the right alarm or none"
    parameters = AnomalyParameters
    answer = AnomalyAnswer

    def accepts(self, target: Column) -> bool:
        """Whether the target is a category."""
        return target.kind is Kind.CATEGORY

    def labels_of(self, dataset: Dataset) -> tuple[str, ...]:
        """Return the target's usual and its unusual value.

        Raises:
            DataError: It has not two values.
        """
        return CLASSIFICATION.labels_of(dataset)

    def encode_targets(self, dataset: Dataset, labels: Sequence[str]) -> np.ndarray:
        """Return 1 where a row is an anomaly, int64, (rows,).

        Raises:
            DataError: A target is missing or is neither of the first two labels.
        """
        return CLASSIFICATION.encode_targets(dataset, labels[:2])

    def calibrate(self, targets: np.ndarray, outputs: np.ndarray) -> Calibration:
        """Fit the thresholds on the scores of held-out usual rows (split conformal)."""
        usual = outputs[targets == 0, 0].astype(np.float64)
        return Calibration(fitted_on=len(targets), margins=conformal_margins(usual))

    def measure(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> dict[str, float]:
        """Return how well anomalies rank above usual rows, and what alarms at the usual rate find.

        Where there is no anomaly, or nothing else, nothing ranks above anything: the average precision is the share of
        anomalies, what a guess would have.
        """
        scores = outputs[:, 0].astype(np.float64)
        threshold = _threshold(calibration, USUAL_FALSE_ALARM_RATE)
        found = anomaly_metrics(targets == 1, scores, threshold)
        if not np.isfinite(found["average_precision"]):
            found["average_precision"] = float((targets == 1).mean())
        return {name: value for name, value in found.items() if np.isfinite(value)}

    def trivial_outputs(self, targets: np.ndarray, label_count: int, rows: int) -> np.ndarray:
        """Return one score for every row."""
        return np.full((rows, 1), 0.5, np.float32)

    def quality(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Return 1 where the alarm is right, or there rightly is none, (rows,)."""
        alarms = outputs[:, 0] > _threshold(calibration, USUAL_FALSE_ALARM_RATE)
        return np.asarray(alarms == (targets == 1), np.float64)

    def decode(
        self,
        outputs: np.ndarray,
        labels: Sequence[str],
        calibration: Calibration,
        parameters: Parameters,
    ) -> list[Answer]:
        """Return one answer a row."""
        asked = parameters if isinstance(parameters, AnomalyParameters) else AnomalyParameters()
        threshold = _threshold(calibration, asked.false_alarm_rate)
        return [_answer(row, labels, threshold, asked.false_alarm_rate) for row in outputs.astype(np.float64)]

    def hub_name(self, kinds: frozenset[Kind]) -> str:
        """Return "tabular-classification"."""
        return "tabular-classification"

    def hub_answers(self, answers: Sequence[Answer], kinds: frozenset[Kind], is_batch: bool) -> Any:
        """Return the labels."""
        return [answer.label for answer in answers if isinstance(answer, AnomalyAnswer)]


def _threshold(calibration: Calibration, false_alarm_rate: float) -> float:
    return margin_at(calibration.margins, 1.0 - false_alarm_rate) if calibration.margins else NEVER


def _answer(row: np.ndarray, labels: Sequence[str], threshold: float, rate: float) -> AnomalyAnswer:
    score, effects = float(row[0]), row[1:]
    order = np.argsort(-effects, kind="stable")[:MOST_STANDING_OUT]
    columns = tuple(
        StandingOut(labels[2 + place], float(effects[place])) for place in order if effects[place] > 0
    )
    is_anomaly = score > threshold
    return AnomalyAnswer(score, is_anomaly, threshold, rate, labels[int(is_anomaly)], columns)


ANOMALY_DETECTION = AnomalyDetection()
