"""Who judges a model's outputs: its task by itself, or a referee that learned from the real rows first."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

import numpy as np

from servery.data.dataset import Dataset
from servery.discovery import instances
from servery.tasks.task import Calibration, Judgement, LearnableTask


class Judge(Protocol):
    """What says how good outputs are; every task that can be learned is one."""

    @property
    def primary_metric(self) -> str:
        """The metric that decides, larger is better."""

    @property
    def quality_title(self) -> str:
        """What `quality` is, in words."""

    def judge(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> Judgement:
        """Return what the outputs are worth, ready to be measured on many choices of rows."""

    def quality(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Return how right each row is, from 0 to 1, float64, (rows,)."""


class Referee(ABC):
    """Makes a judge for tasks whose outputs are only worth something as a set, or beside a model of the real rows.

    A referee is an object in its own file under `evaluation/referees/`; nothing else names it.
    """

    @abstractmethod
    def accepts(self, task: LearnableTask) -> bool:
        """Whether it judges this task."""

    @abstractmethod
    def learned(self, task: LearnableTask, train: Dataset) -> Judge:
        """Return a judge that learned from the rows the model learned from; equal rows make an equal judge."""


def judge_of(task: LearnableTask, train: Dataset) -> Judge:
    """Return who judges a task: the referee that accepts it, else the task itself."""
    referees: tuple[Referee, ...] = instances("servery.evaluation.referees", Referee)
    return next((referee.learned(task, train) for referee in referees if referee.accepts(task)), task)
