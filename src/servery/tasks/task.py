"""A kind of question: what is asked and answered, how an answer is scored, what it counts as on the bill."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import msgspec
import numpy as np

from servery.data.columns import Column, Kind, Role
from servery.data.dataset import Dataset
from servery.discovery import instances
from servery.errors import DataError, UnknownNameError
from servery.tasks.operating_point import Goal, OperatingPoint


@dataclass(frozen=True)
class Calibration:
    """How a model's raw outputs become scores that can be believed; fitted on the validation part.

    Attributes:
        temperature: Divides the logits before softmax or sigmoid (Guo et al. 2017, section 4.2).
        thresholds: Of a multi-label model: score from which a label is selected, one a label.
        fitted_on: Rows of the validation part it was fitted on; 0 when not fitted.
        least_confidence: Of a model that may abstain: it does where it is less sure of its answer than this.
        outside: Place of the label which says that none of the others fits; -1 without one.
        margins: How far from an answer the truth lies, one for each of `metrics.intervals.COVERAGES`; in the task's
            own measure of distance.
        usual_spread: Of a model that says how unsure it is of each row: the median of that; 0 when not fitted.
        operating_point: From which score the positive label is said; None where the best score decides.
    """

    temperature: float = 1.0
    thresholds: tuple[float, ...] = ()
    fitted_on: int = 0
    least_confidence: float = 0.0
    outside: int = -1
    margins: tuple[float, ...] = ()
    usual_spread: float = 0.0
    operating_point: OperatingPoint | None = None

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Calibration:
        """Rebuild a calibration from its fields as JSON has them.

        Raises:
            TypeError: It has a field that this is none of.
        """
        values: dict[str, Any] = {n: tuple(v) if isinstance(v, list) else v for n, v in value.items()}
        point = values.pop("operating_point", None)
        return cls(**values, operating_point=OperatingPoint(**point) if point else None)


@dataclass(frozen=True)
class Abstention:
    """When a model had better not answer.

    Attributes:
        cost: Of abstaining where there was an answer, as a share of what a wrong answer costs; 1 forbids to abstain.
        outside: The label of rows that none of the other labels fits: abstaining is right there. Empty without one.
    """

    cost: float = 1.0
    outside: str = ""


class Parameters(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a caller may ask of one prediction; a task adds its own."""


class Answer(msgspec.Struct, frozen=True):
    """What a model says about one input; a task adds its own."""


@dataclass(frozen=True)
class HubQuestion:
    """One body in the Hub's form: what is asked of the model, and how its answers go back.

    Attributes:
        inputs: As the model's own form reads them.
        answers: Shapes the answers; None for the task's `hub_answers`.
    """

    inputs: Any
    answers: Callable[[Sequence[Answer]], Any] | None = None


class Task(ABC):
    """One kind of question that a model can be asked.

    A task is an object in its own file under `tasks/`; nothing else names it.
    `outputs` are what a predictor's `run` gives, a row an input.
    """

    name: ClassVar[str]
    title: ClassVar[Mapping[str, str]]
    summary: ClassVar[str]
    unit: ClassVar[str] = "rows"
    """What is counted on the bill; `units_of` counts it."""
    parameters: ClassVar[type[Parameters]]
    answer: ClassVar[type[Answer]]

    def with_labels(self, labels: Sequence[str]) -> Self:
        """Return the task of a model with these labels, for tasks whose metrics look at what the labels are called."""
        return self

    @abstractmethod
    def decode(
        self,
        outputs: np.ndarray,
        labels: Sequence[str],
        calibration: Calibration,
        parameters: Parameters,
    ) -> list[Answer]:
        """Turn raw outputs into one answer a row."""

    @abstractmethod
    def hub_name(self, kinds: frozenset[Kind]) -> str:
        """Return the Hub's name of this task for inputs of these kinds, e.g. "text-classification"."""

    @abstractmethod
    def hub_answers(self, answers: Sequence[Answer], kinds: frozenset[Kind], is_batch: bool) -> Any:
        """Return the answers exactly as `huggingface_hub.InferenceClient` reads them for this task."""

    def tensor_parameters(self, parameters: Parameters) -> Parameters:
        """Return what to ask instead, when the answers are only wanted as tensors: the cheapest that gives them."""
        return parameters

    def output_tensors(self, labels: Sequence[str]) -> tuple[Column, ...]:
        """Return the tensors that answers are sent as, in order: tensor columns, and texts as text columns.

        Where a task says nothing else it is one text: the JSON of the answer.
        """
        return (Column("answer", Kind.TEXT, Role.TARGET),)

    def to_tensors(
        self, answers: Sequence[Answer], labels: Sequence[str], names: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """Return the tensors of that name, a row an answer; texts as an array of objects, each the bytes of one.

        Args:
            answers: To `tensor_parameters`.
            labels: What can be answered, in the order of the model's outputs.
            names: Some of those of `output_tensors`.
        """
        return {"answer": np.array([msgspec.json.encode(answer) for answer in answers], object)}

    def prepared(self, examples: list[dict[str, Any]], parameters: Parameters) -> list[dict[str, Any]]:
        """Return the examples as the encoder needs them, where parameters decide what is encoded (seeds, sizes)."""
        return examples

    def completed(self, answers: Sequence[Answer], examples: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """Return the answers with what only the examples tell, e.g. the words at the places that were found."""
        return list(answers)

    def notices(self, answers: Sequence[Answer]) -> Mapping[str, str]:
        """Return what to know about these answers, by its code, e.g. that nothing was heard in a recording."""
        return {}

    def repeatable(self, examples: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
        """Return the examples so that they are answered alike every time, where chance would decide (seeds)."""
        return examples

    def gathered(self, answers: Sequence[Answer], parameters: Parameters) -> list[Answer]:
        """Return the answers to a request as they go back, where parameters want several joined to one."""
        return list(answers)

    def hub_question(self, inputs: Any) -> HubQuestion:
        """Return how inputs in the Hub's form are asked, for tasks that the Hub asks in several ways."""
        return HubQuestion(inputs)

    def most_units(self, examples: Sequence[Mapping[str, Any]]) -> int:
        """Return as many of `unit` as the answers to these examples can count as; reserved before the work."""
        return len(examples)

    def units_of(self, answers: Sequence[Answer]) -> int:
        """Return how many of `unit` these answers count as; one an input where a task says no other."""
        return len(answers)


@runtime_checkable
class Scored(Protocol):
    """A task whose answers give labels scores, so that it can be explained what speaks for a label."""

    def best_label(self, answer: Any) -> str:
        """Return the label with the highest score."""

    def score_of(self, answer: Any, label: str) -> float:
        """Return the score of a label, from 0 to 1; 0 where the answer lacks it."""


class LearnableTask(Task):
    """A task that models are trained for and judged by here.

    `outputs` and `targets` are arrays whose first axis is the row: numbers where all rows have one shape (logits,
    float32, (rows, labels)), else objects, one a row (a text, the boxes of a picture).
    """

    primary_metric: ClassVar[str]
    quality_title: ClassVar[str]
    """What `quality` is, in words, e.g. "share of rows answered rightly"."""
    has_calibration: ClassVar[bool] = True
    """Whether `calibrate` learns anything from outputs; where it does not, they need not be computed."""

    @abstractmethod
    def accepts(self, target: Column) -> bool:
        """Whether this task can learn that target column."""

    @abstractmethod
    def encode_targets(self, dataset: Dataset, labels: Sequence[str]) -> np.ndarray:
        """Return what the right answers are, in the form that `measure` compares with.

        Raises:
            DataError: A target is missing or cannot be one; the message names the lines.
        """

    @abstractmethod
    def measure(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> dict[str, float]:
        """Return every metric of the task by name; `primary_metric` is one of them, larger is better."""

    @abstractmethod
    def trivial_outputs(self, targets: np.ndarray, label_count: int, rows: int) -> np.ndarray:
        """Return what a model that ignores its input would put out, fitted on training targets."""

    @abstractmethod
    def quality(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Return how right each row is, from 0 to 1, float64, (rows,): weak slices and mistakes are found by it."""

    def labels_of(self, dataset: Dataset) -> tuple[str, ...]:
        """Return what can be answered, in the order of the model's outputs; empty for tasks without labels."""
        return ()

    def primary(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> float:
        """Return the primary metric alone; a task overrides it where that is cheaper than `measure`."""
        return self.measure(targets, outputs, calibration)[self.primary_metric]

    def calibrate(self, targets: np.ndarray, outputs: np.ndarray) -> Calibration:
        """Fit the calibration on a validation part; none where a task has nothing to fit."""
        return Calibration(fitted_on=len(targets))

    def deciding(
        self,
        calibration: Calibration,
        targets: np.ndarray,
        outputs: np.ndarray,
        labels: Sequence[str],
        goal: Goal,
    ) -> Calibration:
        """Return the calibration with the score from which the positive label is said, fitted on a validation part.

        Raises:
            DataError: A goal is stated, but this task says no label by its score alone.
        """
        if goal.stated:
            raise DataError(
                f"The task {self.name} has no operating point: {', '.join(goal.stated)} cannot be its goal.",
                hint="leave the goal out",
                param="goal",
            )
        return calibration

    def abstaining(
        self,
        calibration: Calibration,
        targets: np.ndarray,
        outputs: np.ndarray,
        labels: Sequence[str],
        wanted: Abstention,
    ) -> Calibration:
        """Return the calibration with the right to abstain, fitted on a validation part.

        A task whose answers have no confidence leaves it as it is.
        """
        return calibration

    def aligned(
        self, outputs: np.ndarray, calibration: Calibration, known: Sequence[str], labels: Sequence[str]
    ) -> tuple[np.ndarray, Calibration]:
        """Return a model's outputs as if its labels were `labels` and not `known`, and the calibration for them."""
        return outputs, calibration

    def judge(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> Judgement:
        """Return what the outputs are worth, ready to be measured on many choices of rows.

        A task whose metrics are sums over rows overrides it, so that a thousand resamples cost a thousand sums.
        """
        return RowJudgement(self, targets, outputs, calibration)


class Judgement(Protocol):
    """A model's outputs beside what is right."""

    def measure(self, rows: np.ndarray) -> dict[str, float]:
        """Return every metric on these rows (places, with repeats)."""

    def primary(self, rows: np.ndarray) -> float:
        """Return the primary metric on these rows."""


@dataclass(frozen=True)
class RowJudgement:
    """Measures anew on every choice of rows."""

    task: LearnableTask
    targets: np.ndarray
    outputs: np.ndarray
    calibration: Calibration

    def measure(self, rows: np.ndarray) -> dict[str, float]:
        """Return every metric on these rows."""
        return self.task.measure(self.targets[rows], self.outputs[rows], self.calibration)

    def primary(self, rows: np.ndarray) -> float:
        """Return the primary metric on these rows."""
        return self.task.primary(self.targets[rows], self.outputs[rows], self.calibration)


def all_tasks() -> dict[str, Task]:
    """Return every task by name."""
    return {task.name: task for task in instances("servery.tasks", Task)}


def find_task(name: str) -> Task:
    """Return the task of that name.

    Raises:
        UnknownNameError: There is none.
    """
    tasks = all_tasks()
    if name not in tasks:
        raise UnknownNameError.among("task", name, tasks)
    return tasks[name]


def learnable(task: Task) -> LearnableTask:
    """Return the task as one that models are trained for.

    Raises:
        UnknownNameError: Its models come from elsewhere; none can be trained or judged here.
    """
    if not isinstance(task, LearnableTask):
        known = [name for name, known in all_tasks().items() if isinstance(known, LearnableTask)]
        raise UnknownNameError.among("task that can be learned", task.name, known)
    return task
