"""Relation extraction: what connects the two entities that are marked in a text, and in which direction?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import msgspec
import numpy as np

from servery.data.columns import Kind
from servery.data.marked_text import parse_marked
from servery.metrics import calibration as believable
from servery.metrics import relations as found
from servery.metrics.classification import accuracy, confusion_matrix, macro_f1
from servery.tasks.classification import Classification, ClassificationAnswer
from servery.tasks.task import Answer, Calibration, Parameters


class Mention(msgspec.Struct, frozen=True):
    """A piece of a text: what stands there, its first character and the one after its last."""

    text: str
    start: int
    end: int


class RelationAnswer(ClassificationAnswer, frozen=True):
    """What connects the two entities.

    Attributes:
        relation: The best label without its direction; empty where that says there is none.
        head: What the relation starts from.
        tail: What it leads to.
    """

    relation: str = ""
    head: Mention | None = None
    tail: Mention | None = None


@dataclass(frozen=True)
class RelationExtraction(Classification):
    """One label a marked text; a label that ends in (e1,e2) or (e2,e1) says from which entity the relation starts.

    Attributes:
        labels: Those of the model that is measured; what they are called decides which belong together.
    """

    labels: tuple[str, ...] = ()

    name = "relation-extraction"
    title = {"en": "Relation extraction", "zh": "关系抽取"}
    summary = "What connects two entities in a text?"
    primary_metric = "relation_f1"
    answer = RelationAnswer
    has_operating_point = False

    def with_labels(self, labels: Sequence[str]) -> Self:
        """Return the task with these labels."""
        return type(self)(tuple(labels))

    def measure(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> dict[str, float]:
        """Return the F1 over the relations (mean and of all decisions), macro F1 over the labels, and accuracy."""
        matrix, groups = self._matrix(targets, outputs)
        return {
            "relation_f1": found.relation_f1(matrix, groups),
            "relation_micro_f1": found.relation_micro_f1(matrix, groups),
            "macro_f1": macro_f1(matrix),
            "accuracy": accuracy(matrix),
            "log_loss": believable.log_loss(targets, self.scores(outputs, calibration)),
            **self.abstention_metrics(targets, outputs, calibration),
        }

    def primary(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> float:
        """Return the mean F1 over the relations alone."""
        return found.relation_f1(*self._matrix(targets, outputs))

    def _matrix(self, targets: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        count = outputs.shape[1]
        groups = found.groups_of(self.labels) if self.labels else np.arange(count)
        return confusion_matrix(targets, outputs.argmax(axis=1), count), groups

    def decode(
        self,
        outputs: np.ndarray,
        labels: Sequence[str],
        calibration: Calibration,
        parameters: Parameters,
    ) -> list[Answer]:
        """Return labels with scores; see `completed` for the entities."""
        answers = super().decode(outputs, labels, calibration, parameters)
        return [_with_relation(a) if isinstance(a, ClassificationAnswer) else a for a in answers]

    def completed(self, answers: Sequence[Answer], examples: Sequence[Mapping[str, Any]]) -> list[Answer]:
        """Return the answers with the entities, in the direction of the relation."""
        return [
            _with_entities(answer, example) if isinstance(answer, RelationAnswer) else answer
            for answer, example in zip(answers, examples, strict=True)
        ]

    def hub_name(self, kinds: frozenset[Kind]) -> str:
        """Return "relation-extraction"; the Hub has no such task yet."""
        return "relation-extraction"

    def hub_answers(self, answers: Sequence[Answer], kinds: frozenset[Kind], is_batch: bool) -> Any:
        """Return a list of facts a text: head, relation, tail and score; an empty one where there is no relation."""
        rows = [_hub_row(answer) for answer in answers if isinstance(answer, RelationAnswer)]
        return rows if is_batch else rows[0]


def _with_relation(answer: ClassificationAnswer) -> RelationAnswer:
    relation = "" if found.is_none(answer.label) else found.base_of(answer.label)
    return RelationAnswer(**msgspec.structs.asdict(answer), relation=relation)


def _with_entities(answer: RelationAnswer, example: Mapping[str, Any]) -> RelationAnswer:
    marked = next((value for value in example.values() if isinstance(value, str)), None)
    if marked is None:
        return answer
    read = parse_marked(marked)
    places = (read.tail, read.head) if answer.label.endswith(found.BACKWARDS) else (read.head, read.tail)
    head, tail = (Mention(read.text[start:end], start, end) for start, end in places)
    return msgspec.structs.replace(answer, head=head, tail=tail)


def _hub_row(answer: RelationAnswer) -> list[dict[str, Any]]:
    if not answer.relation or answer.head is None or answer.tail is None:
        return []
    sides = {side: msgspec.to_builtins(getattr(answer, side)) for side in ("head", "tail")}
    return [
        {"head": sides["head"], "relation": answer.relation, "tail": sides["tail"], "score": answer.score}
    ]


RELATION_EXTRACTION = RelationExtraction()
