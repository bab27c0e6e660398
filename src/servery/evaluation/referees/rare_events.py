"""Judges a question of two labels one of which is rare by the average precision: there the others flatter."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from servery.data.dataset import Dataset
from servery.evaluation.referee import Judge, Referee
from servery.tasks.classification import Classification
from servery.tasks.task import Calibration, Judgement, LearnableTask

RARE = 0.05
"""Share of the rarer label in training up to which it is a rare event."""


class RareEvents(Referee):
    """Takes over where at most one training row in twenty has the label that is looked for.

    A model that never says it is right about nearly all rows, and its area under the ROC curve may be high while most
    of its alarms are false. The average precision of a guess is the share of the label itself.

    Source: Saito and Rehmsmeier (2015), The precision-recall plot is more informative than the ROC plot when evaluating
    binary classifiers on imbalanced datasets.
    """

    def accepts(self, task: LearnableTask) -> bool:
        """Whether the task answers with one label of several."""
        return type(task) is Classification

    def learned(self, task: LearnableTask, train: Dataset) -> Judge:
        """Return the judge of rare events, or the task itself where the labels are none."""
        counts = Counter(train[train.target.name])
        if len(counts) != 2 or min(counts.values()) > RARE * len(train):
            return task
        return _RareEventJudge(task)


@dataclass(frozen=True)
class _RareEventJudge:
    task: LearnableTask
    primary_metric: str = "average_precision"

    @property
    def quality_title(self) -> str:
        return self.task.quality_title

    def judge(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> Judgement:
        return _RareEventJudgement(self.task, targets, outputs, calibration)

    def quality(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> np.ndarray:
        return self.task.quality(targets, outputs, calibration)


@dataclass(frozen=True)
class _RareEventJudgement:
    task: LearnableTask
    targets: np.ndarray
    outputs: np.ndarray
    calibration: Calibration

    def measure(self, rows: np.ndarray) -> dict[str, float]:
        found = self.task.measure(self.targets[rows], self.outputs[rows], self.calibration)
        # A resample without the rare label, or with nothing else, has no ranking: a guess is as good there.
        return {"average_precision": float((self.targets[rows] == 1).mean()), **found}

    def primary(self, rows: np.ndarray) -> float:
        return self.measure(rows)["average_precision"]


RARE_EVENTS = RareEvents()
