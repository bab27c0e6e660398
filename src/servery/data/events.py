"""Events: a user met an item, at a time; a cell of kind EVENTS holds those of one user in the order of time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import orjson

from servery.data.cells import time_of

SECOND = np.timedelta64(1, "s")
EPOCH = np.datetime64(0, "s")


class Event(NamedTuple):
    """One purchase, click or rating.

    Attributes:
        item: Name of the item.
        time: Seconds since 1970 in UTC; None where nobody wrote it down.
        text: What the item is called, where the data has it; not part of a request.
        is_asked: Whether the item itself is what is asked about (similar items): it is never the answer.
    """

    item: str
    time: int | None = None
    text: str = ""
    is_asked: bool = False


Events = tuple[Event, ...]


def events_of(cell: Any) -> Events | None:
    """Return a cell as events, None where it is missing or none.

    An event is written as the name of its item or as an object with `item_id` and, if known, `timestamp`.

    >>> events_of('["i9", {"item_id": "i3", "timestamp": "2026-05-01T09:00:00Z"}]')
    (Event(item='i3', time=1777626000, text='', is_asked=False), Event(item='i9', time=None, text='', is_asked=False))
    """
    if isinstance(cell, str):
        try:
            cell = orjson.loads(cell)
        except orjson.JSONDecodeError:
            return None
    if not isinstance(cell, list | tuple):
        return None
    events = [_event_of(one) for one in cell]
    known = [event for event in events if event is not None]
    return in_order(known) if len(known) == len(events) else None


def in_order(events: Iterable[Event]) -> Events:
    """Return events by their times; those without one keep their places at the end, as the latest."""
    return tuple(sorted(events, key=lambda event: (event.time is None, event.time or 0)))


def seconds_of(moment: np.datetime64) -> int | None:
    """Return a moment as seconds since 1970, None for none.

    >>> seconds_of(np.datetime64("1970-01-02", "ns")), seconds_of(np.datetime64("NaT"))
    (86400, None)
    """
    return None if np.isnat(moment) else int((moment - EPOCH) // SECOND)


def written_time(seconds: int) -> str:
    """Return seconds since 1970 as a moment in ISO 8601.

    >>> written_time(86400)
    '1970-01-02T00:00:00Z'
    """
    return f"{np.datetime64(seconds, 's')}Z"


def _event_of(one: Any) -> Event | None:
    if isinstance(one, Event):
        return one
    if isinstance(one, str) and one.strip():
        return Event(one.strip())
    if isinstance(one, dict) and isinstance(one.get("item_id"), str) and one["item_id"].strip():
        return Event(one["item_id"].strip(), seconds_of(time_of(one.get("timestamp"))))
    return None
