"""The members of a JSON message, read off its schema, in words a person reads."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

DEEPEST = 4
"""Levels of nesting that are shown."""

_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "object": "object",
    "null": "null",
}
_NO_BOUND = 1e300
"""From here on a bound of a number says only that it is finite."""

Schema = Mapping[str, Any]


@dataclass(frozen=True)
class Member:
    """One member of a message.

    Attributes:
        name: As it is sent.
        depth: 0 at the top, 1 for a member of a member.
        type: What it is, in words.
        bounds: What holds for its value, in words; of a member with alternatives, for each of them.
        meaning: What it says.
        is_required: Whether it has to be there.
    """

    name: str
    depth: int
    type: str
    bounds: tuple[str, ...]
    meaning: str
    is_required: bool


class Message:
    """A message as a route declares it.

    Args:
        declared: A msgspec struct, or a JSON Schema.

    >>> Message({"type": "object", "properties": {"age": {"type": "integer", "minimum": 0}}}).members[0].bounds
    ('at least 0',)
    """

    def __init__(self, declared: type | Schema) -> None:
        self._components: Schema = {}
        if isinstance(declared, type):
            (schema,), self._components = msgspec.json.schema_components([declared])
        else:
            schema = dict(declared)
        whole = self._resolved(schema)
        self.type = self._type(whole)
        self.summary = _summary(whole)
        self.members = tuple(self._members(whole, 0))

    def _members(self, schema: Schema, depth: int) -> Iterator[Member]:
        told = _told_members(schema.get("description", ""))
        for name, declared in schema.get("properties", {}).items():
            member = self._resolved(declared)
            yield Member(
                name,
                depth,
                self._type(member),
                tuple(self._bounds(member)),
                declared.get("description") or told.get(name) or self._meaning(member),
                name in schema.get("required", ()),
            )
            if depth < DEEPEST:
                yield from self._members(self._inner(member), depth + 1)

    def _resolved(self, schema: Schema) -> Schema:
        name = schema.get("$ref", "").rpartition("/")[2]
        return self._components[name] if name else schema

    def _inner(self, schema: Schema) -> Schema:
        """The object whose members stand below a member: the member itself, or what its list holds."""
        while schema.get("type") == "array":
            schema = self._items(schema)
        return schema

    def _items(self, schema: Schema) -> Schema:
        return self._resolved(schema.get("items") or {})

    def _alternatives(self, schema: Schema) -> list[Schema]:
        return [self._resolved(choice) for choice in schema.get("anyOf", ())]

    def _type(self, schema: Schema) -> str:
        if "enum" in schema:
            return " or ".join(json.dumps(value) for value in schema["enum"])
        if "anyOf" in schema:
            return " or ".join(dict.fromkeys(self._type(choice) for choice in self._alternatives(schema)))
        kinds = schema.get("type", [])
        kinds = [kinds] if isinstance(kinds, str) else kinds
        return " or ".join(self._kind(kind, schema) for kind in kinds) or "any JSON"

    def _kind(self, kind: str, schema: Schema) -> str:
        if kind != "array":
            return _TYPES[kind]
        inner = self._type(self._items(schema))
        return f"list of {inner}" if " or " not in inner else f"list of ({inner})"

    def _meaning(self, schema: Schema) -> str:
        """What a member says of itself, or else what is said of the first thing in it."""
        inside = [*self._alternatives(schema), *([self._items(schema)] if schema.get("items") else [])]
        return _summary(schema) or next(filter(None, map(self._meaning, inside)), "")

    def _bounds(self, schema: Schema) -> Iterator[str]:
        for choice in self._alternatives(schema):
            if bounds := ", ".join(self._bounds(choice)):
                yield f"{self._type(choice)}: {bounds}"
        yield from _range(schema, "minLength", "maxLength", "characters")
        yield from _range(schema, "minItems", "maxItems", "items")
        yield from _range(schema, "minProperties", "maxProperties", "members")
        yield from _range(schema, "minimum", "maximum")
        if "pattern" in schema:
            yield f"like {schema['pattern']}"
        if schema.get("type") == "array" and "anyOf" not in self._items(schema):
            yield from (f"each {bound}" for bound in self._bounds(self._items(schema)))
        if schema.get("default") not in (None, "", [], {}):
            yield f"default {json.dumps(schema['default'])}"


def _range(schema: Schema, low: str, high: str, unit: str = "") -> Iterator[str]:
    least, most = schema.get(low), schema.get(high)
    least = None if least is not None and abs(least) >= _NO_BOUND else least
    most = None if most is not None and abs(most) >= _NO_BOUND else most
    ending = f" {unit}" if unit else ""
    if least is not None and most is not None:
        yield f"{least:,} to {most:,}{ending}"
    elif most is not None:
        yield f"at most {most:,}{ending}"
    elif least is not None:
        yield f"at least {least:,}{ending}"


def _summary(schema: Schema) -> str:
    return inspect.cleandoc(schema.get("description", "")).partition("\n\n")[0]


def _told_members(docstring: str) -> dict[str, str]:
    """What the section `Attributes:` of a docstring says, by name."""
    told: dict[str, str] = {}
    name = ""
    for line in inspect.cleandoc(docstring).partition("Attributes:\n")[2].splitlines():
        head, colon, text = line.strip().partition(":")
        if colon and line.startswith("    ") and not line.startswith("     "):
            name, told[head] = head, text.strip()
        elif name:
            told[name] = f"{told[name]} {line.strip()}"
    return told
