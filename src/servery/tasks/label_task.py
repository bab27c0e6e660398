"""What tasks that answer with labels have in common: scores, decisions, and how right they are."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from servery.data.dataset import Dataset
from servery.metrics.abstention import answered_metrics, scope_metrics
from servery.tasks._abstention import fit_least_confidence
from servery.tasks.operating_point import OperatingPoint
from servery.tasks.task import Abstention, Calibration, LearnableTask

_NEVER = 1e-12
"""The score of a label that a model has never met."""


class LabelTask(LearnableTask):
    """A task whose outputs are logits, float32, (rows, labels).

    `targets` are int64 (rows,), or float32 (rows, labels) where a row may carry several labels.
    """

    @abstractmethod
    def labels_of(self, dataset: Dataset) -> tuple[str, ...]:
        """Return what can be answered, in the order of the model's outputs."""

    @abstractmethod
    def scores(self, outputs: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Turn raw outputs into scores from 0 to 1, float64, (rows, labels)."""

    @abstractmethod
    def logits(self, scores: np.ndarray) -> np.ndarray:
        """Return outputs that give these scores without any calibration, (rows, labels)."""

    def log_odds(self, logits: np.ndarray, place: int) -> np.ndarray:
        """Return the log-odds of one label from logits, (..., labels); each label has odds of its own."""
        return np.asarray(logits[..., place])

    @abstractmethod
    def confidence(self, scores: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Return how right the model expects each row's answer to be, from 0 to 1, float64, (rows,)."""

    def abstains(self, scores: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Return which rows are not answered, bool, (rows,): too unsure, or the label "none fits" is the best."""
        unsure = self.confidence(scores, calibration) < calibration.least_confidence
        return np.asarray(unsure | _says_outside(scores, calibration))

    def abstaining(
        self,
        calibration: Calibration,
        targets: np.ndarray,
        outputs: np.ndarray,
        labels: Sequence[str],
        wanted: Abstention,
    ) -> Calibration:
        """Return the calibration with the confidence from which answering these rows costs less than abstaining.

        A wrong answer costs what `mistake_costs` says, any answer to an outside row 1, abstaining on an inside row
        `wanted.cost`, on an outside row nothing.
        """
        calibration = replace(
            calibration, outside=labels.index(wanted.outside) if wanted.outside in labels else -1
        )
        scores = self.scores(outputs, calibration)
        is_outside = outside_rows(targets, calibration)
        # Rows called outside are not answered whatever the threshold.
        open_rows = ~_says_outside(scores, calibration)
        answered = np.where(is_outside, 1.0, self.mistake_costs(targets, outputs, calibration))
        least = fit_least_confidence(
            self.confidence(scores, calibration)[open_rows],
            answered[open_rows],
            np.where(is_outside, 0.0, wanted.cost)[open_rows],
            wanted.cost,
        )
        return replace(calibration, least_confidence=least)

    def mistake_costs(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Return what answering each row costs, from 0 to 1, float64, (rows,): one minus how right it is."""
        return np.asarray(1.0 - self.quality(targets, outputs, calibration))

    def abstention_metrics(
        self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration
    ) -> dict[str, float]:
        """Return what the right to abstain is worth by name; nothing of a model that always answers."""
        if calibration.least_confidence <= 0 and calibration.outside < 0:
            return {}
        scores = self.scores(outputs, calibration)
        abstains, quality = self.abstains(scores, calibration), self.quality(targets, outputs, calibration)
        metrics = answered_metrics(abstains, quality)
        if calibration.outside >= 0:
            metrics |= scope_metrics(abstains, quality > 0, outside_rows(targets, calibration))
        return metrics

    def quality(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Return the F1 of each row's labels, 1 where nothing was to be found or said, float64, (rows,).

        With one label a row that is whether it was found.
        """
        scores = self.scores(outputs, calibration)
        truth, taken = carried(targets, scores.shape[1]), selected(scores, targets, calibration)
        both = truth.sum(axis=1) + taken.sum(axis=1)
        return np.where(both > 0, 2 * (truth & taken).sum(axis=1) / np.maximum(both, 1), 1.0)

    def aligned(
        self, outputs: np.ndarray, calibration: Calibration, known: Sequence[str], labels: Sequence[str]
    ) -> tuple[np.ndarray, Calibration]:
        """Return logits in the order of `labels`; one that the model never met gets next to no score."""
        logits = self.logits(self.scores(outputs, calibration).clip(_NEVER, 1 - _NEVER))
        places = {label: place for place, label in enumerate(known)}
        ordered = np.full((len(outputs), len(labels)), np.log(_NEVER))
        thresholds = [0.5] * len(labels)
        for place, label in enumerate(labels):
            if label in places:
                ordered[:, place] = logits[:, places[label]]
                thresholds[place] = calibration.thresholds[places[label]] if calibration.thresholds else 0.5
        outside = known[calibration.outside] if calibration.outside >= 0 else None
        return ordered, Calibration(
            operating_point=_moved(calibration.operating_point, known, labels),
            thresholds=tuple(thresholds) if calibration.thresholds else (),
            least_confidence=calibration.least_confidence,
            outside=labels.index(outside) if outside in labels else -1,
        )


def decided(scores: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Return the place of the label that is answered, int64, (rows,), of tasks with one label a row.

    That is the best one; with an operating point the positive label from its threshold on, else the best other.

    >>> point = OperatingPoint(positive=1, threshold=0.3)
    >>> decided(np.array([[0.6, 0.4], [0.8, 0.2]]), Calibration(operating_point=point)).tolist()
    [1, 0]
    """
    point = calibration.operating_point
    if point is None:
        return np.asarray(scores.argmax(axis=1))
    others = scores.copy()
    others[:, point.positive] = -1.0
    is_positive = scores[:, point.positive] >= point.threshold
    return np.where(is_positive, point.positive, others.argmax(axis=1))


def selected(scores: np.ndarray, targets: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Return which labels a model answers, bool, (rows, labels): the best one, or all from their thresholds on."""
    if targets.ndim == 1:
        return carried(decided(scores, calibration), scores.shape[1])
    return np.asarray(scores >= (np.array(calibration.thresholds) if calibration.thresholds else 0.5))


def outside_rows(targets: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Return which rows no label fits, bool, (rows,)."""
    if calibration.outside < 0 or targets.ndim == 2:
        return np.zeros(len(targets), dtype=bool)
    return np.asarray(targets == calibration.outside)


def _says_outside(scores: np.ndarray, calibration: Calibration) -> np.ndarray:
    if calibration.outside < 0:
        return np.zeros(len(scores), dtype=bool)
    return np.asarray(decided(scores, calibration) == calibration.outside)


def _moved(
    point: OperatingPoint | None, known: Sequence[str], labels: Sequence[str]
) -> OperatingPoint | None:
    if point is None or known[point.positive] not in labels:
        return None
    return replace(point, positive=labels.index(known[point.positive]))


def carried(targets: np.ndarray, label_count: int) -> np.ndarray:
    """Return which labels each row truly carries, bool, (rows, labels)."""
    return np.asarray(targets[:, None] == np.arange(label_count) if targets.ndim == 1 else targets > 0)
