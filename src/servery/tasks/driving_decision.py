"""Driving decisions: what should the car do next, and would that end in a collision?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from servery.data.columns import Column, Kind, Role
from servery.data.dataset import Dataset
from servery.data.traffic import ACTIONS, COLUMNS, SLOWER, outlooks
from servery.errors import DataError
from servery.tasks._scores import texts
from servery.tasks.classification import Classification, ClassificationAnswer
from servery.tasks.task import Answer, Calibration, Parameters


class DrivingAnswer(ClassificationAnswer, frozen=True):
    """What to do next.

    Attributes:
        action: The best action that the shield does not refuse: what is to be done.
        refused: The actions that end in a collision if everybody else goes on as now, in the order of `ACTIONS`.
        values: What the model puts out for each action: of `dqn` the discounted reward that it expects, of
            `behaviour-cloning` a logit. `label`, `score` and `labels` are the model's own choice, without the shield.
    """

    action: str = ""
    refused: tuple[str, ...] = ()
    values: dict[str, float] = {}


class DrivingDecision(Classification):
    """One of `ACTIONS` a row; metrics are about how often the model does what the demonstration did."""

    name = "driving-decision"
    title = {"en": "Driving decision", "zh": "驾驶决策"}
    summary = "What should the car do next: change lanes, go faster or slower, or go on?"
    quality_title = "share of moments decided as in the demonstration"
    answer = DrivingAnswer

    def labels_of(self, dataset: Dataset) -> tuple[str, ...]:
        """Return the five actions, also those that no demonstration took.

        Raises:
            DataError: A demonstration did something else.
        """
        found = {value for value in dataset[dataset.target.name] if value is not None}
        unknown = sorted(found - set(ACTIONS))
        if unknown:
            raise DataError(
                f"The target '{dataset.target.name}' holds {unknown[0]!r}; the actions are {', '.join(ACTIONS)}.",
                hint="write what the driver did as one of these words",
                param="target",
            )
        return ACTIONS

    def accepts(self, target: Column) -> bool:
        """Whether the target is a category."""
        return target.kind is Kind.CATEGORY

    def decode(
        self,
        outputs: np.ndarray,
        labels: Sequence[str],
        calibration: Calibration,
        parameters: Parameters,
    ) -> list[Answer]:
        """Return one answer a row, its actions from the best down; `completed` asks the shield."""
        answers = super().decode(outputs, labels, calibration, parameters)
        rows = zip(answers, outputs.astype(np.float64).tolist(), strict=True)
        return [
            DrivingAnswer(**msgspec.structs.asdict(a), action=a.label, values=_values(labels, row))
            if isinstance(a, ClassificationAnswer)
            else a
            for a, row in rows
        ]

    def completed(self, answers: Sequence[Answer], examples: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """Return the answers with what the shield refuses, where the rows have the columns that it looks at."""
        pairs = zip(answers, examples, strict=True)
        return [
            _shielded(answer, example)
            if isinstance(answer, DrivingAnswer) and answer.values and set(COLUMNS) <= example.keys()
            else answer
            for answer, example in pairs
        ]

    def notices(self, answers: Sequence[Answer]) -> Mapping[str, str]:
        """Say where the model wanted what the shield refuses, and where every action ends in a collision."""
        given = [answer for answer in answers if isinstance(answer, DrivingAnswer)]
        refused = sum(answer.label in answer.refused for answer in given)
        hopeless = sum(len(answer.refused) == len(ACTIONS) for answer in given)
        told = {}
        if refused:
            told["shielded"] = (
                f"{refused} decision(s) of the model would end in a collision if everybody else goes on as now; "
                "`action` is another one."
            )
        if hopeless:
            told["no_safe_action"] = (
                f"{hopeless} moment(s) have no action without a collision ahead; `action` is the one that ends latest."
            )
        return told

    def hub_name(self, kinds: frozenset[Kind]) -> str:
        """Return "driving-decision"; the Hub has no such task, and its clients cannot ask for it."""
        return self.name

    def hub_answers(self, answers: Sequence[Answer], kinds: frozenset[Kind], is_batch: bool) -> Any:
        """Return the actions that the shield lets through, one an input."""
        return [answer.action for answer in answers if isinstance(answer, DrivingAnswer)]

    def tensor_parameters(self, parameters: Parameters) -> Parameters:
        """Return the parameters: scores alone would pass the shield by."""
        return parameters

    def output_tensors(self, labels: Sequence[str]) -> tuple[Column, ...]:
        """Return "action", and "answer": all of it as JSON."""
        return tuple(Column(name, Kind.TEXT, Role.TARGET) for name in ("action", "answer"))

    def to_tensors(
        self, answers: Sequence[Answer], labels: Sequence[str], names: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """Return the actions that the shield lets through, and the answers, each as the bytes of texts."""
        given = [answer for answer in answers if isinstance(answer, DrivingAnswer)]
        told = {
            "action": texts([answer.action for answer in given]),
            "answer": texts([msgspec.json.encode(answer).decode() for answer in given]),
        }
        return {name: told[name] for name in names}


def _shielded(answer: DrivingAnswer, example: Mapping[str, Any]) -> DrivingAnswer:
    """Return the answer with the best action that nothing speaks against, or the one that ends latest.

    A shield as in Alshiekh et al. (2018), Safe reinforcement learning via shielding, section 5: it stands after the
    model and corrects it only where its own model of the road, here constant velocities, says that it must.
    """
    found = outlooks(example)
    refused = tuple(action for action in ACTIONS if not found[action].is_safe)
    if len(refused) == len(ACTIONS):
        action = max(ACTIONS, key=lambda name: (found[name].seconds, name == SLOWER))
    else:
        action = max((name for name in ACTIONS if name not in refused), key=answer.values.__getitem__)
    return msgspec.structs.replace(answer, action=action, refused=refused)


def _values(labels: Sequence[str], row: Sequence[float]) -> dict[str, float]:
    return dict(zip(labels, row, strict=True))


DRIVING_DECISION = DrivingDecision()
