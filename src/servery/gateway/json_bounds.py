"""Bounds of a JSON body that hold before its values become objects, which take far more memory than their text."""

from __future__ import annotations

import re

from servery.errors import TooLongError

UNCHECKED_BYTES = 64 * 2**10
"""What is no larger cannot hold enough to hurt."""
FIRST_BYTES = 512 * 2**10
"""Looked at first."""
MOST_NAMES = 10_000
"""Of one object: as many columns as a row may have."""
MOST_OBJECTS = 2**17
"""More than a job's most inputs."""
MOST_LISTS = 2**17
MOST_STRINGS = 2**21
"""Names and texts."""

_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?+(\s*+:)?+|[{\[]', re.DOTALL)
"""A text, as a name where a colon follows, or what opens an object or a list. Every quote begins a match, so that what
is torn is walked through once."""


def check_json_bounds(body: bytes) -> None:
    """Refuse a body that would become more objects than any request needs.

    Characters are counted first, at gigabytes a second. Those within texts count too, so what seems too much is looked
    at exactly; that stops at the first bound it finds broken.

    Raises:
        TooLongError: Too many names, objects, lists or texts.

    >>> check_json_bounds(b'{"inputs": [' + b"{}," * 200_000 + b"1]}")
    Traceback (most recent call last):
    servery.errors.TooLongError: The body holds more than 131,072 objects.
    """
    if len(body) <= UNCHECKED_BYTES:
        return
    # What is made to hurt mostly shows it at once, and the rest of it need not be counted.
    if _seems_too_much(body[:FIRST_BYTES]) or (len(body) > FIRST_BYTES and _seems_too_much(body)):
        _look(body)


def _seems_too_much(body: bytes) -> bool:
    quotes, objects, lists = body.count(b'"'), body.count(b"{"), body.count(b"[")
    # A backslash that is escaped itself makes this too few: nothing is refused for texts that it does not hold.
    if quotes > 2 * MOST_STRINGS and quotes - body.count(b'\\"') > 2 * MOST_STRINGS:
        raise _too_many(MOST_STRINGS, "texts and names", "send a job's rows as CSV or Parquet")
    is_dense = quotes > 2 * MOST_NAMES * objects and body.count(b":") > MOST_NAMES * objects
    return is_dense or objects > MOST_OBJECTS or lists > MOST_LISTS


def _look(body: bytes) -> None:
    names = objects = lists = 0
    for token in _TOKEN.finditer(body):
        if token.lastindex:
            names += 1
            if names > MOST_NAMES * objects:
                raise _too_many(MOST_NAMES, "names in one object", "send several requests, or a job")
        elif token[0] == b"{":
            objects += 1
            if objects > MOST_OBJECTS:
                raise _too_many(MOST_OBJECTS, "objects", "send several requests, or a job")
        elif token[0] == b"[":
            lists += 1
            if lists > MOST_LISTS:
                raise _too_many(
                    MOST_LISTS, "lists", "send numbers as raw bytes, or flat where the protocol can"
                )


def _too_many(most: int, what: str, hint: str) -> TooLongError:
    return TooLongError(f"The body holds more than {most:,} {what}.", hint=hint)
