"""Texts on the wire: a string, or an object with one text an input where a model reads several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from servery.data.columns import Column, Kind
from servery.errors import InputError, UnsupportedMediaError
from servery.tasks.form import Bounds, Example, Form
from servery.tasks.forms._cells import read_text
from servery.tasks.forms._inputs import as_list, check_names, pointer_to


class TextForm(Form):
    """One text, or a list of them."""

    name = "text"
    rank = 1

    def matches(self, kinds: frozenset[Kind]) -> bool:
        """Whether all inputs are texts."""
        return kinds == {Kind.TEXT}

    def examples(self, inputs: Any, columns: Sequence[Column], limits: Bounds) -> list[Example]:
        """Read a text or a list of texts; of a model with several text columns, objects of texts.

        Raises:
            InputError: Wrong type, missing text, too long or too many.
        """
        if len(columns) == 1:
            name = columns[0].name
            if isinstance(inputs, str):
                return [{name: read_text(inputs, "/inputs", limits)}]
            return [{name: read_text(v, pointer, limits)} for v, pointer in as_list(inputs, limits)]
        return [_texts(value, columns, pointer, limits) for value, pointer in as_list(inputs, limits)]

    def is_batch(self, inputs: Any, columns: Sequence[Column]) -> bool:
        """Whether `inputs` is a list."""
        return isinstance(inputs, list)

    def examples_from_bytes(
        self, body: bytes, content_type: str, columns: Sequence[Column], limits: Bounds
    ) -> list[Example]:
        """Read a body of plain text in UTF-8.

        Raises:
            UnsupportedMediaError: The content type is not text/plain, or the model reads several texts.
            InputError: It is not UTF-8, or too long.
        """
        if content_type.partition(";")[0].strip().lower() != "text/plain" or len(columns) != 1:
            raise UnsupportedMediaError(
                f"Cannot read texts from a body of type {content_type or 'unknown'!r}.",
                hint='send application/json, e.g. {"inputs": "..."}',
            )
        try:
            return self.examples(body.decode(), columns, limits)
        except UnicodeDecodeError as error:
            raise InputError(f"The body is not UTF-8: byte {error.start} is no character.") from error

    def to_json(self, example: Example, columns: Sequence[Column]) -> Any:
        """Return the text, or the object of texts."""
        if len(columns) == 1:
            return example[columns[0].name]
        return {c.name: example[c.name] for c in columns}

    def json_schema(self, columns: Sequence[Column], limits: Bounds) -> dict[str, Any]:
        """Return the schema of one text, or of one object of texts."""
        text = {"type": "string", "maxLength": limits.max_text_characters}
        if len(columns) == 1:
            return text
        return {
            "type": "object",
            "properties": {c.name: dict(text) for c in columns},
            "required": [c.name for c in columns],
            "additionalProperties": False,
        }


def _texts(value: Any, columns: Sequence[Column], pointer: str, limits: Bounds) -> Example:
    check_names(value, columns, pointer)
    return {c.name: read_text(value[c.name], pointer_to(pointer, c.name), limits) for c in columns}


TEXT = TextForm()
