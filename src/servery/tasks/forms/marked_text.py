"""Texts with two marked entities on the wire: marks in the text, or the places of the two beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from servery.data.columns import Column, Kind
from servery.data.marked_text import MarkedText, parse_marked
from servery.errors import InputError, UnsupportedMediaError
from servery.tasks._parts import text_parts
from servery.tasks.form import Bounds, Example, Form
from servery.tasks.forms._cells import described, read_text
from servery.tasks.forms._inputs import as_list
from servery.tasks.part import Part

_SIDES = ("head", "tail")
_PATTERN = "|".join(rf"<{a}>[\s\S]+</{a}>[\s\S]*<{b}>[\s\S]+</{b}>" for a, b in (("e1", "e2"), ("e2", "e1")))
"""Both marks, in either order."""
_MARKED = re.compile(r"<e([12])>.*?</e\1>", re.DOTALL)


class MarkedTextForm(Form):
    """`"<e1>Ann</e1> works for <e2>Acme</e2>."`, or `{"text": ..., "head": {"start": 0, "end": 3}, "tail": {...}}`."""

    name = "marked-text"
    rank = 2

    def matches(self, kinds: frozenset[Kind]) -> bool:
        """Whether the input is one marked text."""
        return kinds == {Kind.MARKED_TEXT}

    def examples(self, inputs: Any, columns: Sequence[Column], limits: Bounds) -> list[Example]:
        """Read one marked text or a list of them.

        Raises:
            InputError: Wrong type, a mark or place is missing or outside the text, too long or too many.
        """
        name = columns[0].name
        return [{name: _read(value, pointer, limits)} for value, pointer in as_list(inputs, limits)]

    def is_batch(self, inputs: Any, columns: Sequence[Column]) -> bool:
        """Whether `inputs` is a list."""
        return isinstance(inputs, list)

    def examples_from_bytes(
        self, body: bytes, content_type: str, columns: Sequence[Column], limits: Bounds
    ) -> list[Example]:
        """Read a body of plain text with marks, in UTF-8.

        Raises:
            UnsupportedMediaError: The content type is not text/plain.
            InputError: It is not UTF-8, too long, or lacks its marks.
        """
        if content_type.partition(";")[0].strip().lower() != "text/plain":
            raise UnsupportedMediaError(
                f"Cannot read a marked text from a body of type {content_type or 'unknown'!r}.",
                hint='send application/json, e.g. {"inputs": "<e1>Ann</e1> works for <e2>Acme</e2>."}',
            )
        try:
            return self.examples(body.decode(), columns, limits)
        except UnicodeDecodeError as error:
            raise InputError(f"The body is not UTF-8: byte {error.start} is no character.") from error

    def to_json(self, example: Example, columns: Sequence[Column]) -> Any:
        """Return the text with its marks."""
        return example[columns[0].name]

    def parts(self, example: Example, columns: Sequence[Column]) -> list[Part]:
        """Return the words beside the entities: what the text says of them."""
        name = columns[0].name
        marked = example[name]
        entities = [match.span() for match in _MARKED.finditer(marked)]
        return [
            part
            for part in text_parts(_blanked(marked, entities), name)
            if part.start is not None and part.end is not None
        ]

    def json_schema(self, columns: Sequence[Column], limits: Bounds) -> dict[str, Any]:
        """Return the schema of one input."""
        place = {"type": "integer", "minimum": 0, "maximum": limits.max_text_characters}
        side = {
            "type": "object",
            "properties": {"start": place, "end": place},
            "required": ["start", "end"],
            "additionalProperties": False,
        }
        return {
            "type": ["string", "object"],
            "maxLength": limits.max_text_characters,
            "pattern": _PATTERN,
            "properties": {
                "text": {"type": "string", "maxLength": limits.max_text_characters},
                **dict.fromkeys(_SIDES, side),
            },
            "required": ["text", *_SIDES],
            "additionalProperties": False,
        }


def _read(value: Any, pointer: str, limits: Bounds) -> str:
    try:
        if isinstance(value, dict):
            return str(_placed(value, pointer, limits))
        return str(parse_marked(read_text(value, pointer, limits)))
    except InputError as error:
        if not (error.param or "").startswith(pointer):
            error.param = pointer + (error.param or "")
        raise


def _placed(value: dict[str, Any], pointer: str, limits: Bounds) -> MarkedText:
    wanted = ("text", *_SIDES)
    if value.keys() != set(wanted):
        raise InputError(
            f"Expected an object with {', '.join(wanted)} at {pointer}, got {', '.join(map(repr, list(value)[:6]))}.",
            hint='e.g. {"text": "Ann met Bo.", "head": {"start": 0, "end": 3}, "tail": {"start": 8, "end": 10}}',
            param=pointer,
        )
    text = read_text(value["text"], f"{pointer}/text", limits)
    head, tail = (_span(value[side], f"{pointer}/{side}") for side in _SIDES)
    return MarkedText(text, head, tail)


def _span(value: Any, pointer: str) -> tuple[int, int]:
    is_span = isinstance(value, dict) and value.keys() == {"start", "end"}
    if not is_span or not all(type(place) is int for place in value.values()):
        raise InputError(
            f"Expected an object with the numbers start and end at {pointer}, got {described(value)}.",
            param=pointer,
        )
    return value["start"], value["end"]


def _blanked(marked: str, spans: Sequence[tuple[int, int]]) -> str:
    """Return the text with blanks in the place of these pieces, so that all places stay."""
    for start, end in spans:
        marked = marked[:start] + " " * (end - start) + marked[end:]
    return marked


MARKED_TEXT = MarkedTextForm()
