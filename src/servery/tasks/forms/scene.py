"""Scenes on the wire: agents with their positions, step by step up to now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from servery.data.columns import Column, Kind
from servery.data.scenes import (
    FARTHEST,
    LEAST_STEP_SECONDS,
    MOST_AGENTS,
    MOST_STEP_SECONDS,
    MOST_STEPS,
    scene_of,
)
from servery.errors import InputError, UnsupportedMediaError
from servery.tasks.form import Bounds, Example, Form
from servery.tasks.forms._inputs import as_list
from servery.tasks.part import Part


class SceneForm(Form):
    """`{"step_seconds": 0.4, "agents": [{"agent_id": "a1", "positions_m": [[0, 0], [0.5, 0.1]]}]}`, or a list.

    The text of its JSON does as well, for files and protocols of tensors that have no objects.
    """

    name = "scene"
    rank = 2

    def matches(self, kinds: frozenset[Kind]) -> bool:
        """Whether the input is one scene."""
        return kinds == {Kind.SCENE}

    def examples(self, inputs: Any, columns: Sequence[Column], limits: Bounds) -> list[Example]:
        """Read one scene or a list of them.

        Raises:
            InputError: Something is missing, no number, out of order in time, or too many.
        """
        name = columns[0].name
        return [{name: _read(value, pointer)} for value, pointer in as_list(inputs, limits)]

    def is_batch(self, inputs: Any, columns: Sequence[Column]) -> bool:
        """Whether `inputs` is a list."""
        return isinstance(inputs, list)

    def examples_from_bytes(
        self, body: bytes, content_type: str, columns: Sequence[Column], limits: Bounds
    ) -> list[Example]:
        """Refuse the body: a scene is JSON.

        Raises:
            UnsupportedMediaError: Always.
        """
        raise UnsupportedMediaError(
            f"Cannot read a scene from a body of type {content_type or 'unknown'!r}.",
            hint='send application/json, e.g. {"inputs": {"step_seconds": 0.4, "agents": [...]}}',
        )

    def to_json(self, example: Example, columns: Sequence[Column]) -> Any:
        """Return the scene as an object."""
        return orjson.loads(example[columns[0].name])

    def parts(self, example: Example, columns: Sequence[Column]) -> list[Part]:
        """Return none: an answer of many positions has no score that could fall."""
        return []

    def json_schema(self, columns: Sequence[Column], limits: Bounds) -> dict[str, Any]:
        """Return the schema of one scene."""
        place = {"type": "number", "minimum": -FARTHEST, "maximum": FARTHEST}
        point = {"type": ["array", "null"], "items": place, "minItems": 2, "maxItems": 2}
        times = {"type": "number", "minimum": -1e12, "maximum": 1e12}
        agent = {
            "type": "object",
            "properties": {
                "agent_id": {"type": "string", "minLength": 1, "maxLength": 100},
                "positions_m": {"type": "array", "items": point, "minItems": 1, "maxItems": MOST_STEPS},
                "times_s": {"type": "array", "items": times, "minItems": 1, "maxItems": MOST_STEPS},
            },
            "required": ["positions_m"],
            "additionalProperties": False,
        }
        step = {"type": "number", "minimum": LEAST_STEP_SECONDS, "maximum": MOST_STEP_SECONDS}
        return {
            "type": "object",
            "properties": {
                "step_seconds": step,
                "agents": {"type": "array", "items": agent, "minItems": 1, "maxItems": MOST_AGENTS},
            },
            "required": ["step_seconds", "agents"],
            "additionalProperties": False,
        }


def _read(value: Any, pointer: str) -> str:
    try:
        return str(scene_of(value))
    except InputError as error:
        error.param = pointer + (error.param or "")
        raise


SCENE = SceneForm()
