"""What speaks for an answer: the score of its label with each part of the input, and without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from servery.errors import InputError
from servery.models.signature import Signature
from servery.tasks.form import Example, Form
from servery.tasks.part import Part
from servery.tasks.task import Answer, Scored, Task

METHOD = "occlusion"
LOOKS = 1024
"""Most times one request may have the model look at its inputs, with and without their parts."""


class ExplainParameters(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a caller may ask: the label to explain; null explains the best one."""

    label: Annotated[str, msgspec.Meta(max_length=1024)] | None = None


class Effect(msgspec.Struct, frozen=True):
    """A part of the input and by how much the label's score falls without it; below zero, it spoke against it."""

    part: Part
    effect: float


class Explanation(msgspec.Struct, frozen=True):
    """Why one input got its answer.

    Attributes:
        label: What is explained.
        score: Its score on the whole input.
        effects: One a part, in the order of the input.
        method: How they were found: each part was left out in turn.
    """

    label: str
    score: float
    effects: tuple[Effect, ...]
    method: str = METHOD


@dataclass(frozen=True)
class Inquiry:
    """What a model must be shown to explain its answers.

    Attributes:
        examples: Every input, each followed by its versions that lack one part.
        parts: One list an input.
    """

    examples: list[Example]
    parts: list[list[Part]]

    @classmethod
    def into(cls, examples: Sequence[Example], form: Form, signature: Signature) -> Inquiry:
        """Plan the looks at these inputs.

        Raises:
            InputError: An input has no parts, or there would be too many looks.
        """
        parts = [form.parts(example, signature.inputs) for example in examples]
        for place, found in enumerate(parts):
            if not found:
                raise InputError(f"Input {place} has no parts whose effect could be told.", param="/inputs")
        looks = sum(len(found) + 1 for found in parts)
        if looks > LOOKS:
            raise InputError(
                f"To explain {len(examples)} inputs takes {looks:,} looks at the model; at most {LOOKS:,} are made.",
                hint="Send fewer inputs.",
                param="/inputs",
            )
        shown = []
        for example, found in zip(examples, parts, strict=True):
            shown += [example, *(form.without(example, part, signature.inputs) for part in found)]
        return cls(shown, parts)

    def explanations(self, task: Task, answers: Sequence[Answer], label: str | None) -> list[Explanation]:
        """Read the model's answers to `examples`, with all labels in them.

        Raises:
            InputError: The task gives labels no scores.
        """
        scored = explainable(task)
        explanations, start = [], 0
        for parts in self.parts:
            whole, *lacking = answers[start : start + len(parts) + 1]
            start += len(parts) + 1
            chosen = label or scored.best_label(whole)
            score = scored.score_of(whole, chosen)
            effects = [score - scored.score_of(answer, chosen) for answer in lacking]
            explanations.append(Explanation(chosen, score, tuple(map(Effect, parts, effects))))
        return explanations


def explainable(task: Task) -> Scored:
    """Return the task as one whose answers can be explained.

    Raises:
        InputError: It is none.
    """
    if not isinstance(task, Scored):
        raise InputError(
            f"Answers of the task {task.name!r} cannot be explained: they give labels no scores."
        )
    return task


def checked_label(label: str | None, labels: Sequence[str]) -> str | None:
    """Return a label that the model can answer, or None for the best.

    Raises:
        InputError: It cannot.
    """
    if label is not None and label not in labels:
        known: Any = ", ".join(labels[:20])
        raise InputError(
            f"This model has no label {label[:100]!r}; it has {known}.", param="/parameters/label"
        )
    return label
