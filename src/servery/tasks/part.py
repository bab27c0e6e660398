"""A part of an input that an explanation speaks of: words of a text, a column of a row, a patch of a picture."""

from __future__ import annotations

import msgspec


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where a part stands in its input.

    Attributes:
        column: The column it belongs to.
        text: What stands there, as people read it.
        start: Of a text: its first character; of a series: its first reading.
        end: Of a text: the character after its last; of a series: the reading after its last.
        box: Of a picture: left, top, width and height in pixels.
    """

    column: str
    text: str = ""
    start: int | None = None
    end: int | None = None
    box: tuple[int, int, int, int] | None = None
