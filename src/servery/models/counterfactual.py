"""The smallest change of a row that turns its answer: looked for among values that occurred in training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any

import msgspec
import numpy as np

from servery.data.columns import Kind
from servery.errors import InputError, UnknownNameError
from servery.models.predictor import Predictor
from servery.models.reasons import shown
from servery.models.training_profile import ColumnProfile
from servery.tasks.form import Example
from servery.tasks.label_task import LabelTask

MOST_CHANGES = 4
"""Columns that may change together: a longer list helps nobody."""
BEAM = 8
"""Rows of one step from which the next step goes on."""
STRIDE = 4
MOST_LOOKS = 8192
"""Rows that the model is shown for one answer."""
Bounded = Annotated[float, msgspec.Meta(ge=-1e300, le=1e300)]
Name = Annotated[str, msgspec.Meta(max_length=1024)]


class Span(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Bounds of what a number may become; null for none."""

    min: Bounded | None = None
    max: Bounded | None = None


class CounterfactualQuestion(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What may change.

    Attributes:
        fixed: Columns that stay, e.g. the age.
        limits: Number columns to what they may become.
        label: What the answer is to become; null for any other.
    """

    fixed: Annotated[tuple[Name, ...], msgspec.Meta(max_length=1000)] = ()
    limits: Annotated[dict[Name, Span], msgspec.Meta(max_length=1000)] = {}
    label: Name | None = None


class Change(msgspec.Struct, frozen=True):
    """One column, what it holds and what it would have to hold; both as people read them."""

    column: str
    before: str
    after: str


class Counterfactual(msgspec.Struct, frozen=True):
    """The smallest change that was found.

    Attributes:
        is_found: Whether any was.
        label: The answer after it; before it where none was found.
        score: That answer's score.
        changes: Empty where none was found.
        distance: Sum over the changes: of a number in usual differences of the training rows (scaled median
            deviations), of a category 1.
        example: The changed columns as a request holds them.
        looks: Rows that the model was shown.
        words: The same as a sentence; where nothing was found, what was searched.
    """

    is_found: bool
    label: str
    score: float
    changes: tuple[Change, ...]
    distance: float
    example: dict[str, Any]
    looks: int
    words: str


@dataclass(frozen=True)
class _Step:
    """A changed row: what changed, how far it is, and how near the model is to another answer."""

    changes: Mapping[str, Any]
    distance: float
    gain: float = 0.0


class Search:
    """Looks for the change of one row.

    First every single column and value; then from the `BEAM` most promising rows one more column, and so on, as long as
    a row could still be nearer than the best that was found. What was found is then drawn back as near as it goes.

    Source: Wachter, Mittelstadt and Russell (2017), Counterfactual explanations without opening the black box, section
    IV, for the distance (absolute differences over the median absolute deviation); the search is a beam of our own.

    Raises:
        InputError: The model has no such columns or labels, or nobody kept what its training rows looked like.
    """

    def __init__(self, predictor: Predictor, question: CounterfactualQuestion) -> None:
        signature = predictor.signature
        is_one_label = "label" in predictor.task.answer.__struct_fields__
        if not isinstance(predictor.task, LabelTask) or not is_one_label or signature.profile is None:
            raise InputError(
                "This model has no counterfactuals: it does not answer with one label, or nobody kept what its "
                "training rows looked like.",
                hint="a table classifier that is trained with this version has them",
                param="/parameters/counterfactual",
            )
        _check_names(question, predictor)
        self._predictor = predictor
        self._task: LabelTask = predictor.task
        self._question = question
        self._columns = {
            known.name: known for known in signature.profile.columns if known.name not in question.fixed
        }
        self._looks = 0

    def nearest(self, example: Example) -> Counterfactual:
        """Return the nearest row that was found with another answer."""
        self._looks = 0
        [(before, _, score)] = self._answered([example])
        if self._question.label == before:
            return self._told(example, _Step({}, 0.0))
        best: _Step | None = None
        steps = [_Step({}, 0.0)]
        for depth in range(MOST_CHANGES):
            tried = [step for start in steps for step in self._next(example, start, best, depth)]
            found, left = self._tried(example, before, tried)
            best = min([*found, *([best] if best else [])], key=lambda step: step.distance, default=None)
            steps = _promising(left)
            if not steps:
                break
        if best is None:
            return self._nothing(before, score)
        return self._told(example, self._drawn_back(example, before, best))

    def _next(self, example: Example, start: _Step, best: _Step | None, depth: int) -> Iterator[_Step]:
        """Yield the rows with one more column changed that would be nearer than the best."""
        for name, known in self._columns.items():
            values = self._values(known)
            # Of a second column on every fourth number: `_drawn_back` looks at those between.
            for value in values if depth == 0 or not known.is_number else values[::STRIDE]:
                away = _away(example.get(name), value, known)
                if name in start.changes or away <= 0:
                    continue
                if best is None or start.distance + away < best.distance:
                    yield _Step({**start.changes, name: value}, start.distance + away)

    def _values(self, known: ColumnProfile) -> list[Any]:
        span = self._question.limits.get(known.name)
        if span is None:
            return list(known.values)
        low = -np.inf if span.min is None else span.min
        high = np.inf if span.max is None else span.max
        return [value for value in known.values if low <= value <= high]

    def _tried(
        self, example: Example, before: str, steps: Sequence[_Step]
    ) -> tuple[list[_Step], list[_Step]]:
        """Return the steps after which the answer is as wanted, and the others with what they won."""
        steps = steps[: max(MOST_LOOKS - self._looks, 0)]
        if not steps:
            return [], []
        answers = self._answered([{**example, **step.changes} for step in steps], before)
        told = [
            (replace(step, gain=gain), self._is_wanted(label, before))
            for step, (label, gain, _) in zip(steps, answers, strict=True)
        ]
        return [step for step, is_it in told if is_it], [step for step, is_it in told if not is_it]

    def _is_wanted(self, label: str, before: str) -> bool:
        return label != before if self._question.label is None else label == self._question.label

    def _drawn_back(self, example: Example, before: str, best: _Step) -> _Step:
        """Return the change with each column as near to what it holds as the answer allows, or left alone."""
        for name in list(best.changes):
            known, others = self._columns[name], {n: v for n, v in best.changes.items() if n != name}
            rest = sum(_away(example.get(n), v, self._columns[n]) for n, v in others.items())
            nearer = [_Step(others, rest)] if others else []
            for value in self._values(known):
                step = _Step({**others, name: value}, rest + _away(example.get(name), value, known))
                if rest < step.distance < best.distance:
                    nearer.append(step)
            found, _ = self._tried(example, before, nearer)
            best = min([*found, best], key=lambda step: step.distance)
        return best

    def _answered(self, examples: list[Example], before: str = "") -> list[tuple[str, float, float]]:
        """Return each row's answer, how near it is to what is wanted, and the answer's score."""
        predictor, labels = self._predictor, list(self._predictor.signature.labels)
        self._looks += len(examples)
        outputs = predictor.outputs(examples, batch_size=1024)
        scores = self._task.scores(outputs, predictor.calibration)
        answers: list[Any] = predictor.decode(outputs)
        wanted = self._question.label
        place = labels.index(wanted or before or labels[0])
        nearness = scores[:, place] if wanted else -scores[:, place]
        own = [float(row[labels.index(a.label)]) for row, a in zip(scores, answers, strict=True)]
        return list(zip([answer.label for answer in answers], nearness.tolist(), own, strict=True))

    def _told(self, example: Example, best: _Step) -> Counterfactual:
        [(label, _, score)] = self._answered([{**example, **best.changes}])
        columns = {column.name: column for column in self._predictor.signature.inputs}
        changes = tuple(
            Change(name, shown(example.get(name), columns[name]), shown(value, columns[name]))
            for name, value in best.changes.items()
        )
        said = " and ".join(f"{c.column} were {c.after} instead of {c.before}" for c in changes)
        words = f"The answer would be {label} if {said}." if changes else f"The answer is {label} already."
        return Counterfactual(
            True, label, score, changes, best.distance, dict(best.changes), self._looks, words
        )

    def _nothing(self, before: str, score: float) -> Counterfactual:
        wanted = f"be {self._question.label}" if self._question.label else f"not be {before}"
        words = (
            f"No change was found after which the answer would {wanted}: up to {MOST_CHANGES} of the columns "
            f"{', '.join(self._columns) or '(none is free)'} were set to values from training within the limits."
        )
        return Counterfactual(False, before, score, (), 0.0, {}, self._looks, words)


def _promising(steps: list[_Step]) -> list[_Step]:
    """Return the rows nearest to another answer, half of them by what each unit of distance won."""
    by_gain = sorted(steps, key=lambda step: -step.gain)[: BEAM // 2]
    least = min((step.gain for step in steps), default=0.0)
    by_rate = sorted(steps, key=lambda step: -(step.gain - least) / (step.distance + 0.1))
    kept = {id(step): step for step in [*by_gain, *by_rate[: BEAM - len(by_gain)]]}
    return list(kept.values())


def _away(before: Any, after: Any, known: ColumnProfile) -> float:
    """Return how far apart two cells are; a missing one is as far from any value as another category."""
    if before is None or before != before or not known.is_number:
        return float(before != after)
    return abs(float(after) - float(before)) / known.spread


def _check_names(question: CounterfactualQuestion, predictor: Predictor) -> None:
    kinds = {column.name: column.kind for column in predictor.signature.inputs}
    for name in (*question.fixed, *question.limits):
        if name not in kinds:
            known = UnknownNameError.among("column to fix or limit", name, kinds)
            raise InputError(known.message, param="/parameters/counterfactual")
        if name in question.limits and kinds[name] is not Kind.NUMBER:
            raise InputError(
                f"{name!r} holds {kinds[name]}; only a number has limits.",
                hint="name it under fixed to keep it",
                param="/parameters/counterfactual/limits",
            )
    checked_label(question.label, predictor.signature.labels, "/parameters/counterfactual/label")


def checked_label(label: str | None, labels: Sequence[str], param: str = "/parameters/label") -> str | None:
    """Return a label that the model can answer, or None for the best.

    Raises:
        InputError: It cannot.
    """
    if label is not None and label not in labels:
        known = ", ".join(labels[:20])
        raise InputError(f"This model has no label {label[:100]!r}; it has {known}.", param=param)
    return label
