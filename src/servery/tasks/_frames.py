"""What a command can mean as a model's labels, and a model's outputs read as intents and slots; plain numpy.

A model of commands has three kinds of labels: intents ("HassTurnOn"), slots whose value stands in the text ("{area}",
"{minutes:number}", "{step:-number}" for a number whose opposite is meant), and values that are only meant
("{state}=on", "{brightness:number}=100").
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from servery.data.commands import Meaning, Value
from servery.data.number_words import digits_of, number_said
from servery.tasks._chains import PLACES, Chains, chains_of, span_scores, spans_in, tag_count

LEAST_SCORE = 0.5
"""From which a value that is only meant is filled in."""


@dataclass(frozen=True)
class SlotLabel:
    """One label of a slot: its name, the form of its values, and the value where it is only meant."""

    name: str
    form: str = "text"
    value: Value | None = None

    def __str__(self) -> str:
        """Return the label.

        >>> str(SlotLabel("area")), str(SlotLabel("brightness", "number", 100))
        ('{area}', '{brightness:number}=100')
        """
        braces = f"{{{self.name}}}" if self.form == "text" else f"{{{self.name}:{self.form}}}"
        if self.value is None:
            return braces
        sign = "-" if isinstance(self.value, int | float) and self.value < 0 else ""
        return f"{braces}={self.value if isinstance(self.value, str) else sign + digits_of(self.value)}"

    @classmethod
    def parse(cls, label: str) -> SlotLabel:
        """Read a label; the inverse of `str`."""
        braces, _, written = label[1:].partition("}")
        name, _, form = braces.partition(":")
        if not written:
            return cls(name, form or "text")
        text = written[1:]
        return cls(name, form or "text", plain_number(float(text)) if form else text)


@dataclass(frozen=True)
class Filled:
    """A slot that a model fills: how surely, where its value stands (0, 0 where it is only meant), and with what."""

    label: SlotLabel
    score: float
    start: int = 0
    end: int = 0

    def value_in(self, text: str) -> Value:
        """Return the value; of a place in the text what stands there, as a number where the slot holds numbers."""
        if self.label.value is not None:
            return self.label.value
        return said_value(text[self.start : self.end], self.sign)

    @property
    def sign(self) -> int:
        """What a number in the text is to be multiplied by; 0 where the slot holds texts."""
        return {"text": 0, "number": 1, "-number": -1}[self.label.form]


@dataclass(frozen=True)
class FrameLabels:
    """A model's labels by kind, in the order of its outputs: intents, slots in the text, values that are meant."""

    intents: tuple[str, ...]
    said: tuple[SlotLabel, ...]
    meant: tuple[SlotLabel, ...]

    @classmethod
    def of(cls, labels: Sequence[str]) -> FrameLabels:
        """Sort labels by kind."""
        intents = tuple(label for label in labels if not label.startswith("{"))
        slots = [SlotLabel.parse(label) for label in labels if label.startswith("{")]
        return cls(
            intents,
            tuple(slot for slot in slots if slot.value is None),
            tuple(slot for slot in slots if slot.value is not None),
        )

    @property
    def decisions(self) -> int:
        """Numbers that are put out for the command as a whole: one an intent, one a value that may be meant."""
        return len(self.intents) + len(self.meant)

    @property
    def lines(self) -> int:
        """Lines of an output that hold these numbers, before those of the tags."""
        return -(-self.decisions // (PLACES + tag_count(len(self.said))))

    @cached_property
    def place_of_said(self) -> dict[tuple[str, str], int]:
        """Name and form of a slot in the text to its label."""
        return {(slot.name, slot.form): place for place, slot in enumerate(self.said)}

    @cached_property
    def place_of_meant(self) -> dict[tuple[str, Value], int]:
        """Name and value of a slot that is meant to its label."""
        return {
            (slot.name, slot.value): place for place, slot in enumerate(self.meant) if slot.value is not None
        }


def labels_for(intents: Sequence[str], meanings: Sequence[Meaning]) -> tuple[str, ...]:
    """Return the labels that commands with these intents and meanings need, sorted within each kind."""
    said = {str(SlotLabel(slot.name, slot.form)) for one in meanings for slot in one.said}
    meant = {str(meant_label(name, value)) for one in meanings for name, value in one.meant}
    return (*sorted(set(intents)), *sorted(said), *sorted(meant))


def meant_label(name: str, value: Value) -> SlotLabel:
    """Return the label of a value that is meant."""
    return SlotLabel(name, "text", value) if isinstance(value, str) else SlotLabel(name, "number", value)


def plain_number(number: float) -> int | float:
    """Return a whole number as int.

    >>> plain_number(20.0), plain_number(20.5)
    (20, 20.5)
    """
    return int(number) if number == int(number) else number


def said_value(piece: str, sign: int) -> Value:
    """Return a piece of a text as a slot's value; a sign of 0 takes it as it is.

    >>> said_value("Kitchen", 0), said_value("20", -1), said_value("the max", 1)
    ('Kitchen', -20, 'the max')
    """
    number = number_said(piece) if sign else None
    return piece if number is None else plain_number(sign * number)


def decisions_of(outputs: Sequence[np.ndarray] | np.ndarray, labels: FrameLabels) -> np.ndarray:
    """Return what is put out for each command as a whole, float64, (rows, decisions)."""
    flat = [np.asarray(row, np.float64).ravel()[: labels.decisions] for row in outputs]
    return np.array(flat).reshape(len(outputs), labels.decisions)


def intent_scores(outputs: np.ndarray, labels: FrameLabels, temperature: float) -> np.ndarray:
    """Return the chance of each intent, float64, (rows, intents)."""
    logits = decisions_of(outputs, labels)[:, : len(labels.intents)] / temperature
    chances = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(chances / chances.sum(axis=1, keepdims=True))


def meant_scores(outputs: np.ndarray, labels: FrameLabels, temperature: float) -> np.ndarray:
    """Return the chance of each value that may be meant, float64, (rows, values)."""
    logits = decisions_of(outputs, labels)[:, len(labels.intents) :] / temperature
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)))


def tag_chains(outputs: np.ndarray, labels: FrameLabels, temperature: float) -> Iterator[Chains]:
    """Return the chains of tags; none of models that put out whole commands only."""
    if len(outputs) and np.ndim(outputs[0]) == 2:
        yield from chains_of([row[labels.lines :] for row in outputs], len(labels.said), temperature)


def filled_slots(outputs: np.ndarray, labels: FrameLabels, temperature: float) -> list[list[Filled]]:
    """Return the slots that a model fills in each command, each slot once: with the surest of its values."""
    found: list[list[Filled]] = [
        [
            Filled(labels.meant[place], float(scores[place]))
            for place in np.flatnonzero(scores >= LEAST_SCORE).tolist()
        ]
        for scores in meant_scores(outputs, labels, temperature)
    ]
    for chains in tag_chains(outputs, labels, temperature):
        spans = [spans_in(tags) for tags in chains.best()]
        rows = zip(chains.rows.tolist(), chains.places, spans, span_scores(chains, spans), strict=True)
        for row, places, own, scores_of in rows:
            found[row] += [
                Filled(labels.said[label], score, int(places[first, 0]), int(places[last, 1]))
                for (first, last, label), score in zip(own, scores_of, strict=True)
            ]
    return [_each_once(row) for row in found]


def with_labels(outputs: np.ndarray, known: FrameLabels, wanted: FrameLabels) -> np.ndarray:
    """Return the outputs of a model of whole commands as if its labels were others; what it never met is unlikely.

    Tags are left out: such a model has none.
    """
    decisions = decisions_of(outputs, known)
    place_of: dict[Any, int] = {intent: place for place, intent in enumerate(known.intents)}
    place_of |= {slot: len(known.intents) + place for place, slot in enumerate(known.meant)}
    aligned = np.full((len(outputs), wanted.decisions), -1e4)
    for place, label in enumerate((*wanted.intents, *wanted.meant)):
        if label in place_of:
            aligned[:, place] = decisions[:, place_of[label]]
    return aligned.astype(np.float32)


def _each_once(filled: Sequence[Filled]) -> list[Filled]:
    best: dict[str, Filled] = {}
    for slot in filled:
        if slot.label.name not in best or slot.score > best[slot.label.name].score:
            best[slot.label.name] = slot
    return sorted(best.values(), key=lambda slot: (slot.end == 0, slot.start, slot.label.name))
