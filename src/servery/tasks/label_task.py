"""What tasks that answer with labels have in common: scores, decisions, and how right they are."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import numpy as np

from servery.data.dataset import Dataset
from servery.tasks.task import Calibration, LearnableTask

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
        return ordered, Calibration(thresholds=tuple(thresholds) if calibration.thresholds else ())


def selected(scores: np.ndarray, targets: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Return which labels a model answers, bool, (rows, labels): the best one, or all from their thresholds on."""
    if targets.ndim == 1:
        return carried(scores.argmax(axis=1), scores.shape[1])
    return np.asarray(scores >= (np.array(calibration.thresholds) if calibration.thresholds else 0.5))


def carried(targets: np.ndarray, label_count: int) -> np.ndarray:
    """Return which labels each row truly carries, bool, (rows, labels)."""
    return np.asarray(targets[:, None] == np.arange(label_count) if targets.ndim == 1 else targets > 0)
