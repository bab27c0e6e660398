"""What speaks for an answer: its score with and without each part of the input, reasons, and what would turn it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec

from servery.errors import InputError
from servery.models.counterfactual import Counterfactual, CounterfactualQuestion, Search
from servery.models.counterfactual import checked_label as checked_label
from servery.models.predictor import Predictor
from servery.models.reasons import (
    METHOD,
    UNIT,
    Effect,
    Reason,
    exact_effects,
    has_exact_reasons,
    reasons_against,
)
from servery.models.scorecard import scorecard_of
from servery.models.signature import Signature
from servery.tasks.form import Example, Form
from servery.tasks.part import Part
from servery.tasks.task import Answer, Scored, Task

OCCLUSION = "occlusion"
LOOKS = 1024
"""Most times one request may have the model look at its inputs, with and without their parts."""
MOST_SEARCHED = 4
"""Inputs of one request whose counterfactual is looked for: each takes thousands of looks."""


class ExplainParameters(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a caller may ask.

    Attributes:
        label: The label to explain; null explains the best one.
        reasons: How many of the columns that speak most against the label are said in words; with any, the effects are
            the exact parts of the label's log-odds where the model's score is such a sum.
        counterfactual: What may change in the smallest change that turns the answer; null looks for none.
    """

    label: Annotated[str, msgspec.Meta(max_length=1024)] | None = None
    reasons: Annotated[int, msgspec.Meta(ge=0, le=20)] = 0
    counterfactual: CounterfactualQuestion | None = None


class Explanation(msgspec.Struct, frozen=True):
    """Why one input got its answer.

    Attributes:
        label: What is explained.
        score: Its score on the whole input.
        effects: One a part, in the order of the input.
        method: How they were found: "occlusion", each part was left out in turn; "contributions", the exact parts of a
            score that is a sum over columns.
        unit: What effects are told in: "score" from 0 to 1, or "log-odds" of the label.
        base: Of contributions: the log-odds of an average training row; with the effects it sums to those of the score.
        points: Of a scorecard: the row's points.
        reasons: What speaks most against the label, the strongest first.
        counterfactual: The smallest change found that turns the answer, where that was asked.
    """

    label: str
    score: float
    effects: tuple[Effect, ...]
    method: str = OCCLUSION
    unit: str = "score"
    base: float | None = None
    points: float | None = None
    reasons: tuple[Reason, ...] = ()
    counterfactual: Counterfactual | None = None


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
    def into(
        cls, examples: Sequence[Example], form: Form, signature: Signature, *, is_exact: bool = False
    ) -> Inquiry:
        """Plan the looks at these inputs; where effects are found exactly, each is looked at whole and no more.

        Raises:
            InputError: An input has no parts, or there would be too many looks.
        """
        if is_exact:
            return cls(list(examples), [[] for _ in examples])
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


def is_exact(predictor: Predictor, parameters: ExplainParameters) -> bool:
    """Whether these effects are the parts of a sum, so that nothing need be left out."""
    return parameters.reasons > 0 and has_exact_reasons(predictor)


def completed(
    predictor: Predictor,
    examples: Sequence[Example],
    explanations: Sequence[Explanation],
    parameters: ExplainParameters,
) -> list[Explanation]:
    """Return the explanations with the reasons and counterfactuals that were asked for.

    Raises:
        InputError: The model has none, or there are too many inputs to search for.
    """
    told = list(explanations)
    if is_exact(predictor, parameters):
        told = [_exact(predictor, *pair) for pair in zip(examples, told, strict=True)]
    if parameters.reasons:
        told = [
            msgspec.structs.replace(
                one, reasons=reasons_against(one.effects, parameters.reasons, one.label, one.unit, predictor)
            )
            for one in told
        ]
    if parameters.counterfactual is None:
        return told
    if len(examples) > MOST_SEARCHED:
        raise InputError(
            f"{len(examples)} inputs were sent; counterfactuals are looked for in at most {MOST_SEARCHED} at once.",
            hint="Send fewer inputs.",
            param="/inputs",
        )
    search = Search(predictor, parameters.counterfactual)
    return [
        msgspec.structs.replace(one, counterfactual=search.nearest(example))
        for one, example in zip(told, examples, strict=True)
    ]


def _exact(predictor: Predictor, example: Example, explanation: Explanation) -> Explanation:
    base, [effects] = exact_effects(predictor, [example], explanation.label)
    card, points = scorecard_of(predictor), None
    if card is not None:
        is_good = explanation.label == card.good
        points = card.points(explanation.score if is_good else 1.0 - explanation.score)
    return msgspec.structs.replace(
        explanation, effects=effects, method=METHOD, unit=UNIT, base=base, points=points
    )
