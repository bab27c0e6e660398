"""Bounds of a message over gRPC that hold before protobuf makes objects of its fields, each far larger than it."""

from __future__ import annotations

from collections.abc import Iterator

from servery.errors import TooLongError

UNCHECKED_BYTES = 64 * 2**10
"""What is no larger cannot hold enough to hurt."""
MOST_FIELDS = 2**16
_INPUTS, _CONTENTS = 5, 5
_VARINT, _FIXED_64, _BYTES, _FIXED_32 = 0, 1, 2, 5


def check_message_bounds(body: bytes) -> None:
    """Refuse a ModelInferRequest with more fields than any request needs; the elements of texts count too.

    What is no message is left to protobuf to refuse.

    Source: Protocol Buffers, "Encoding".

    Raises:
        TooLongError: Too many fields.

    >>> check_message_bounds(bytes([5 << 3 | 2, 0]) * 200_000)
    Traceback (most recent call last):
    servery.errors.TooLongError: The message has more than 65,536 fields.
    """
    if len(body) <= UNCHECKED_BYTES:
        return
    for count, _ in enumerate(_walked(body)):
        if count >= MOST_FIELDS:
            raise TooLongError(
                f"The message has more than {MOST_FIELDS:,} fields.",
                hint="send tensors in raw_input_contents, or several requests",
            )


def _walked(body: bytes) -> Iterator[None]:
    """Yield once for each field: of the message, of its inputs, and of their contents."""
    for number, start, end in _fields(body, 0, len(body)):
        yield
        for inner, inner_start, inner_end in _fields(body, start, end) if number == _INPUTS else ():
            yield
            if inner == _CONTENTS:
                for _ in _fields(body, inner_start, inner_end):
                    yield


def _fields(body: bytes, place: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield each field's number and where its content stands, up to the first that is none."""
    try:
        while place < end:
            tag, place = _varint(body, place)
            start, kind = place, tag & 7
            if kind == _VARINT:
                _, place = _varint(body, place)
            elif kind == _BYTES:
                size, start = _varint(body, place)
                place = start + size
            elif kind in (_FIXED_64, _FIXED_32):
                place += 8 if kind == _FIXED_64 else 4
            else:
                return
            if place > end:
                return
            yield tag >> 3, start, place
    except IndexError:
        return


def _varint(body: bytes, place: int) -> tuple[int, int]:
    """Return a number of seven bits a byte, and where it ends; one of more than 64 bits ends what can be read."""
    value = body[place]
    if value < 128:
        return value, place + 1
    value &= 127
    for shift in range(7, 70, 7):
        place += 1
        byte = body[place]
        value |= (byte & 127) << shift
        if byte < 128:
            return value, place + 1
    raise IndexError
