"""What a caller should know about an answer besides the answer, by code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from servery.data.audio import described, samples_of
from servery.data.columns import Column, Kind
from servery.data.dataset import Dataset
from servery.data.series import unpack
from servery.errors import MissingExtraError
from servery.models.envelope import Envelope
from servery.models.signature import Signature
from servery.tasks.task import Answer, Task

ROOM = 0.1
"""Of the span of the values learned from: so far beyond them a number is still near."""
MOST_NAMED = 5
SILENT = 1e-4
"""Of full scale, 80 dB below it: quieter than any room that a microphone stands in."""
LISTENED_SECONDS = 10.0
"""Longer recordings are not decoded a second time to look for silence: other requests would wait for it."""


def notices_of(
    task: Task,
    answers: Sequence[Answer],
    examples: Sequence[Mapping[str, Any]],
    signature: Signature,
    lineage: Mapping[str, Any],
) -> dict[str, str]:
    """Return what to know: of the answers, of inputs unlike those learned from, of the model.

    Args:
        task: Made the answers.
        answers: One an example.
        examples: What was asked.
        signature: What the model takes, and what its inputs were like.
        lineage: What is known of the version.
    """
    told = of_inputs(examples, signature) | dict(task.notices(answers)) | unfamiliar(examples, signature)
    if lineage.get("is_sample"):
        told["sample_data"] = "This model learned from generated sample data; do not rely on it."
    if lineage.get("notice"):
        told["limits_of_use"] = str(lineage["notice"])
    return told


def of_inputs(examples: Sequence[Mapping[str, Any]], signature: Signature) -> dict[str, str]:
    """Return what is odd about texts and recordings whatever the model: none at all, no words, silence.

    Example:
        >>> from servery.data.columns import Role
        >>> asked = Signature("classification", "", (Column("review", Kind.TEXT, Role.INPUT),))
        >>> [list(of_inputs([{"review": text}], asked)) for text in (" ", "😀", "fine")]
        [['empty_text'], ['no_words'], []]
    """
    told = {}
    if all(column.kind is Kind.TEXT for column in signature.inputs):
        texts = texts_of(examples, signature)
        if not all(text.strip() for text in texts):
            told["empty_text"] = "The text is empty: the answer says nothing about it."
        if any(text.strip() and not any(map(str.isalnum, text)) for text in texts):
            told["no_words"] = "The text has no words; a model of words sees little in it."
    recordings = [c.name for c in signature.inputs if c.kind is Kind.AUDIO]
    if any(_is_silent(example.get(name)) for example in examples for name in recordings):
        told["silence"] = "The recording is silent: the answer says nothing about it."
    return told


def with_bounds(columns: Sequence[Column], dataset: Dataset) -> tuple[Column, ...]:
    """Return the columns with the smallest and largest numbers and readings of a training part."""
    numeric = (Kind.NUMBER, Kind.SERIES)
    return tuple(_with_bounds(column, dataset) if column.kind in numeric else column for column in columns)


def unfamiliar(examples: Sequence[Mapping[str, Any]], signature: Signature) -> dict[str, str]:
    """Return which numbers lie far outside those learned from, alone or together, and which categories were unseen.

    Example:
        >>> from servery.data.columns import Role
        >>> column = Column("length_m", Kind.NUMBER, Role.INPUT, low=0.5, high=2.0)
        >>> unfamiliar([{"length_m": 9.0}], Signature("regression", "", (column,)))["outside_range"]
        "The model learned from other values: 'length_m' is 9, learned from 0.5 to 2. It may be far off."
        >>> unfamiliar([{"length_m": 2.1}], Signature("regression", "", (column,)))
        {}
    """
    far, unseen = [], []
    for column in signature.inputs:
        if column.low is not None and column.high is not None:
            room = ROOM * (column.high - column.low)
            for value in _values(examples, column):
                # A missing number is NaN, which is neither within nor beyond.
                if value < column.low - room or value > column.high + room:
                    far.append(
                        f"{column.name!r} is {value:g}, learned from {column.low:g} to {column.high:g}"
                    )
        elif column.kind is Kind.CATEGORY and column.categories:
            known = frozenset(column.categories)
            unseen += [f"{column.name!r} is {v!r}" for v in _values(examples, column) if v not in known]
    told = {}
    if far:
        told["outside_range"] = f"The model learned from other values: {_named(far)}. It may be far off."
    elif signature.envelope and _is_odd(examples, signature.envelope):
        told["unusual_combination"] = (
            "Each number is like those the model learned from, but not all of them together. It may be far off."
        )
    if unseen:
        told["unseen_category"] = f"The model never saw this: {_named(unseen)}. It is read as missing."
    if signature.wording:
        told |= signature.wording.notices(texts_of(examples, signature))
    return told


def texts_of(examples: Sequence[Mapping[str, Any]], signature: Signature) -> list[str]:
    """Return the texts of each example, a line each."""
    names = [column.name for column in signature.inputs]
    return ["\n".join(v for name in names if isinstance(v := e.get(name), str)) for e in examples]


def _is_odd(examples: Sequence[Mapping[str, Any]], envelope: Envelope) -> bool:
    return bool((envelope.distances(examples) > (1.0 + ROOM) * envelope.farthest).any())


def _values(examples: Sequence[Mapping[str, Any]], column: Column) -> list[Any]:
    """Return the values of a column; of a series its smallest and largest reading, which stand for the others."""
    values = [value for example in examples if (value := example.get(column.name)) is not None]
    if column.kind is not Kind.SERIES:
        return values
    known = [readings[np.isfinite(readings)] for readings in map(unpack, values)]
    return [float(end(readings)) for readings in known if len(readings) for end in (np.min, np.max)]


def _is_silent(content: Any) -> bool:
    try:
        if described(content).seconds > LISTENED_SECONDS:
            return False
        samples, _ = samples_of(content, LISTENED_SECONDS)
    except (ValueError, TypeError, MissingExtraError):
        return False  # the model says what is wrong with it
    return bool(np.abs(samples).max(initial=0.0) < SILENT)


def _with_bounds(column: Column, dataset: Dataset) -> Column:
    if column.kind is Kind.SERIES:
        values = np.concatenate([unpack(cell) for cell in dataset[column.name] if cell] or [np.zeros(0)])
    else:
        values = np.asarray(dataset[column.name], np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return column
    return replace(column, low=float(values.min()), high=float(values.max()))


def _named(found: Sequence[str]) -> str:
    shown = "; ".join(dict.fromkeys(found[:MOST_NAMED]))
    return shown if len(found) <= MOST_NAMED else f"{shown} and {len(found) - MOST_NAMED} more"
