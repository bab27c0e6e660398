"""Server-sent events: how one is written, and what is sent while there is nothing to tell.

Source: HTML Living Standard, section 9.2, "Server-sent events".
"""

from __future__ import annotations

from typing import Any

import msgspec

CONTENT_TYPE = "text/event-stream; charset=utf-8"
HEADERS = [(b"cache-control", b"no-store"), (b"x-accel-buffering", b"no")]
"""So that nothing on the way keeps events back."""
HEARTBEAT = b": still here\n\n"
"""A comment, which readers drop; it keeps the connection from being taken for dead."""


def event(data: bytes | str | Any, name: str = "", event_id: str = "") -> bytes:
    r"""Return one event.

    Args:
        data: JSON as bytes without line ends, a text, or what becomes JSON.
        name: What kind of event it is; empty leaves it to the reader, who says "message".
        event_id: What a reader that lost the connection sends back as Last-Event-ID.

    >>> event({"rows_done": 3}, "progress", "7")
    b'id: 7\nevent: progress\ndata: {"rows_done":3}\n\n'
    >>> event("two\nlines")
    b'data: two\ndata: lines\n\n'
    """
    head = (f"id: {event_id}\n" if event_id else "") + (f"event: {name}\n" if name else "")
    if isinstance(data, str):
        # A carriage return ends a line too.
        body = b"\n".join(b"data: " + line.encode() for line in data.replace("\r", "\n").split("\n"))
    else:
        body = b"data: " + (data if isinstance(data, bytes) else msgspec.json.encode(data))
    return head.encode() + body + b"\n\n"
