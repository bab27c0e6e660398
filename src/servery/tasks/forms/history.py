"""Users and what they did on the wire: who, the items so far, or one item whose like are sought."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from servery.data.columns import Column, Kind, Role
from servery.data.events import Event, Events, in_order, seconds_of, written_time
from servery.errors import InputError, TooLongError, UnsupportedMediaError
from servery.tasks.form import Bounds, Example, Form
from servery.tasks.forms._cells import MAX_CATEGORY_CHARACTERS, MAX_TIME_CHARACTERS, described, read_cell
from servery.tasks.forms._inputs import as_list, pointer_to
from servery.tasks.part import Part

MOST_EVENTS = 2_000
"""Events of one history in a request; data sets may hold more."""
MOST_PARTS = 64
ITEM, TIME = "item_id", "timestamp"
_TIME = Column(TIME, Kind.TIME, Role.INPUT)
_NAME = Column(ITEM, Kind.CATEGORY, Role.INPUT)


class HistoryForm(Form):
    """`{"user_id": "u42", "history": ["i9", {"item_id": "i3", "timestamp": "..."}]}`; or `{"item_id": "i9"}`.

    Both members may be left out: a known user is remembered, a session has no user.
    """

    name = "history"
    rank = 1

    def matches(self, kinds: frozenset[Kind]) -> bool:
        """Whether there are events, with or without the user who they are of."""
        return Kind.EVENTS in kinds and kinds <= {Kind.EVENTS, Kind.CATEGORY}

    def examples(self, inputs: Any, columns: Sequence[Column], limits: Bounds) -> list[Example]:
        """Read one question or a list of them.

        Raises:
            InputError: Wrong type, an unknown member, an event without an item, too long or too many.
        """
        return [_read(value, pointer, columns, limits) for value, pointer in as_list(inputs, limits)]

    def is_batch(self, inputs: Any, columns: Sequence[Column]) -> bool:
        """Whether `inputs` is a list."""
        return isinstance(inputs, list)

    def examples_from_bytes(
        self, body: bytes, content_type: str, columns: Sequence[Column], limits: Bounds
    ) -> list[Example]:
        """Refuse: histories travel as JSON."""
        raise UnsupportedMediaError(
            f"Cannot read a history from a body of type {content_type or 'unknown'!r}.",
            hint='send application/json, e.g. {"inputs": {"user_id": "u42", "history": ["i9"]}}',
        )

    def to_json(self, example: Example, columns: Sequence[Column]) -> Any:
        """Return the question as an object."""
        asked = next(
            (e.item for c in columns for e in example[c.name] or () if isinstance(e, Event) and e.is_asked),
            None,
        )
        if asked is not None:
            return {ITEM: asked}
        return {c.name: _to_json(example[c.name], c) for c in columns}

    def parts(self, example: Example, columns: Sequence[Column]) -> list[Part]:
        """Return the last events: an explanation says what each of them does for the answer."""
        name = _history(columns).name
        events = example[name] or ()
        first = max(0, len(events) - MOST_PARTS)
        return [Part(name, event.item, place, place + 1) for place, event in enumerate(events[first:], first)]

    def without(self, example: Example, part: Part, columns: Sequence[Column]) -> Example:
        """Return the example without one event."""
        assert part.start is not None
        events = example[part.column]
        return {**example, part.column: (*events[: part.start], *events[part.start + 1 :])}

    def json_schema(self, columns: Sequence[Column], limits: Bounds) -> dict[str, Any]:
        """Return the schema of one question."""
        name = {"type": ["string", "null"], "maxLength": MAX_CATEGORY_CHARACTERS}
        moment = {"type": ["string", "null"], "maxLength": MAX_TIME_CHARACTERS}
        event = {
            "type": ["string", "object"],
            "maxLength": MAX_CATEGORY_CHARACTERS,
            "properties": {ITEM: {**name, "type": "string"}, TIME: moment},
            "required": [ITEM],
            "additionalProperties": False,
        }
        events = {
            "type": ["array", "string", "null"],
            "maxItems": MOST_EVENTS,
            "maxLength": limits.max_text_characters,
            "items": event,
            "description": "What the user did, in any order; null takes what the model remembers of the user. A string "
            "is read as names between commas.",
        }
        members = {c.name: events if c.kind is Kind.EVENTS else name for c in columns}
        return {"type": "object", "properties": {**members, ITEM: name}, "additionalProperties": False}


def _read(value: Any, pointer: str, columns: Sequence[Column], limits: Bounds) -> Example:
    history = _history(columns)
    names = [*(c.name for c in columns), ITEM]
    if not isinstance(value, dict):
        raise InputError(
            f"Expected an object at {pointer}, got {described(value)}.",
            hint=f"with any of: {', '.join(names)}",
            param=pointer,
        )
    unknown = [name for name in value if name not in names]
    if unknown:
        raise InputError(
            f"Unknown at {pointer}: {str(unknown[0])[:60]!r}.",
            hint=f"this model reads: {', '.join(names)}",
            param=pointer_to(pointer, unknown[0]),
        )
    example: Example = {
        c.name: _events(value.get(c.name), pointer_to(pointer, c.name), limits)
        if c is history
        else read_cell(value.get(c.name), c, pointer_to(pointer, c.name), limits)
        for c in columns
    }
    if value.get(ITEM) is None:
        return example
    if any(cell is not None for cell in example.values()):
        raise InputError(
            f"{ITEM!r} asks what is like one item; the user and the history do not go with it.",
            hint="leave them out, or leave the item out",
            param=pointer_to(pointer, ITEM),
        )
    asked = Event(_item(value[ITEM], pointer_to(pointer, ITEM), limits), is_asked=True)
    return {**example, history.name: (asked,)}


def _events(value: Any, pointer: str, limits: Bounds) -> Events | None:
    if value is None:
        return None
    if isinstance(value, str):
        value = [name.strip() for name in value.replace("，", ",").split(",") if name.strip()]
    if not isinstance(value, list):
        raise InputError(f"Expected a list of items at {pointer}, got {described(value)}.", param=pointer)
    if len(value) > MOST_EVENTS:
        raise TooLongError(
            f"The history at {pointer} has {len(value):,} events; {MOST_EVENTS:,} is the most.",
            hint="send the latest ones",
            param=pointer,
        )
    return in_order(_event(one, f"{pointer}/{place}", limits) for place, one in enumerate(value))


def _event(value: Any, pointer: str, limits: Bounds) -> Event:
    if not isinstance(value, dict):
        return Event(_item(value, pointer, limits))
    unknown = [name for name in value if name not in (ITEM, TIME)]
    if unknown or ITEM not in value:
        wrong = f"unknown {str(unknown[0])[:60]!r}" if unknown else f"no {ITEM!r}"
        raise InputError(
            f"The event at {pointer} has {wrong}.",
            hint='e.g. {"item_id": "i9", "timestamp": "2026-05-01T09:00:00Z"}',
            param=pointer,
        )
    moment = read_cell(value.get(TIME), _TIME, pointer_to(pointer, TIME), limits)
    return Event(_item(value[ITEM], pointer_to(pointer, ITEM), limits), seconds_of(moment))


def _item(value: Any, pointer: str, limits: Bounds) -> str:
    name = read_cell(value, _NAME, pointer, limits)
    if not isinstance(name, str) or not name.strip():
        raise InputError(f"Expected the name of an item at {pointer}, got {described(value)}.", param=pointer)
    return name


def _history(columns: Sequence[Column]) -> Column:
    return next(column for column in columns if column.kind is Kind.EVENTS)


def _to_json(cell: Any, column: Column) -> Any:
    if cell is None or column.kind is not Kind.EVENTS:
        return cell
    return [
        event.item if event.time is None else {ITEM: event.item, TIME: written_time(event.time)}
        for event in cell
    ]


HISTORY = HistoryForm()
