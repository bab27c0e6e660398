"""Briefs on the wire: what is wanted of a design, as an object."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from servery.data.columns import Column, Kind
from servery.errors import InputError, UnsupportedMediaError
from servery.tasks.design_generation import Brief
from servery.tasks.form import Bounds, Example, Form
from servery.tasks.forms._inputs import as_list
from servery.tasks.part import Part

EXAMPLE = '{"objectives": {"mass_kg": "min"}, "limits": {"stiffness": {"min": 100}}, "fixed": {}}'
LARGEST = 1e300
MOST_NAMED, MOST_NAME = 1000, 1000


class BriefForm(Form):
    """One brief, or a list of them; see `servery.tasks.design_generation.Brief`."""

    name = "brief"
    rank = 4

    def matches(self, kinds: frozenset[Kind]) -> bool:
        """Whether the one input is a brief."""
        return kinds == {Kind.BRIEF}

    def examples(self, inputs: Any, columns: Sequence[Column], limits: Bounds) -> list[Example]:
        """Read briefs.

        Raises:
            InputError: One is no object, has unknown members, or wants something else than "min" or "max".
        """
        return [{columns[0].name: _brief(value, pointer)} for value, pointer in as_list(inputs, limits)]

    def is_batch(self, inputs: Any, columns: Sequence[Column]) -> bool:
        """Whether `inputs` is a list of briefs."""
        return isinstance(inputs, list)

    def examples_from_bytes(
        self, body: bytes, content_type: str, columns: Sequence[Column], limits: Bounds
    ) -> list[Example]:
        """Refuse: briefs travel as JSON."""
        raise UnsupportedMediaError(
            f"Cannot read a brief from a body of type {content_type or 'unknown'!r}.",
            hint=f'send application/json, e.g. {{"inputs": {EXAMPLE}}}',
        )

    def to_json(self, example: Example, columns: Sequence[Column]) -> Any:
        """Return the brief as an object."""
        return msgspec.to_builtins(example[columns[0].name])

    def parts(self, example: Example, columns: Sequence[Column]) -> list[Part]:
        """Return none: a brief is not taken apart."""
        return []

    def json_schema(self, columns: Sequence[Column], limits: Bounds) -> dict[str, Any]:
        """Return the schema of one brief."""
        number = {"type": ["number", "null"], "minimum": -LARGEST, "maximum": LARGEST}
        bound = {
            "type": "object",
            "properties": {"min": number, "max": number},
            "additionalProperties": False,
        }
        aim = {"type": "string", "enum": ["min", "max"], "maxLength": 3}
        value = {
            "type": ["number", "string"],
            "minimum": -LARGEST,
            "maximum": LARGEST,
            "maxLength": MOST_NAME,
        }
        return {
            "type": "object",
            "properties": {"objectives": _named(aim), "limits": _named(bound), "fixed": _named(value)},
            "required": ["objectives"],
            "additionalProperties": False,
        }


def _named(schema: dict[str, Any]) -> dict[str, Any]:
    names = {"maxLength": MOST_NAME}
    return {
        "type": "object",
        "properties": {},
        "additionalProperties": schema,
        "propertyNames": names,
        "maxProperties": MOST_NAMED,
    }


def _brief(value: Any, pointer: str) -> Brief:
    try:
        # Protocols of tensors bring it as a text.
        return (
            msgspec.json.decode(value, type=Brief)
            if isinstance(value, str)
            else msgspec.convert(value, Brief)
        )
    except msgspec.MsgspecError as error:
        raise InputError(
            f"The brief at {pointer} does not fit: {error}.", hint=f"e.g. {EXAMPLE}", param=pointer
        ) from error


BRIEF_FORM = BriefForm()
