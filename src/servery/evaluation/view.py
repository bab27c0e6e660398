"""What a report shows of some tasks only: looked at when a model is evaluated, drawn when its report is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from servery.data.dataset import Dataset
from servery.discovery import instances
from servery.evaluation.figure import Figure
from servery.evaluation.referee import Judge
from servery.models.predictor import Predictor
from servery.tasks.task import LearnableTask


@dataclass(frozen=True)
class Case:
    """A model, the rows it is judged by, and what it said.

    Attributes:
        predictor: The model.
        task: What it answers.
        test: Rows it never saw.
        train: Rows it learned from.
        targets: What is right, from `task.encode_targets`.
        outputs: What it put out, a row each.
        referee: Who judges them: the task, or one that learned from the real rows.
        subgroups: Columns by whose values the rows are judged too.
    """

    predictor: Predictor
    task: LearnableTask
    test: Dataset
    train: Dataset
    targets: np.ndarray
    outputs: np.ndarray
    referee: Judge
    subgroups: tuple[str, ...] = ()


class View(ABC):
    """One part of a report. A view is an object in its own file under `evaluation/views/`; nothing else names it."""

    name: ClassVar[str]

    @abstractmethod
    def accepts(self, task: LearnableTask) -> bool:
        """Whether this view has something to show of a task."""

    @abstractmethod
    def look(self, case: Case) -> Any:
        """Return what was found, as anything that msgspec writes as JSON; kept with the evaluation."""

    @abstractmethod
    def figures(self, found: Any) -> list[Figure]:
        """Return what was found, read back from JSON, as figures."""


def all_views() -> list[View]:
    """Return every view, by name."""
    views: tuple[View, ...] = instances("servery.evaluation.views", View)
    return sorted(views, key=lambda view: view.name)
