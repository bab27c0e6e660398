"""What a picture's header says, read before anything is decoded."""

from __future__ import annotations

import io

from PIL import Image, UnidentifiedImageError

from servery.errors import InputError, TooLargeError
from servery.tasks.form import Bounds


def format_of(picture: bytes) -> str | None:
    """Return "PNG", "JPEG", "GIF", "BMP" or "WEBP" by the first bytes, or None.

    >>> format_of(b"GIF89a...")
    'GIF'
    """
    if picture[:4] == b"RIFF" and picture[8:12] == b"WEBP":
        return "WEBP"
    for start, name in _STARTS.items():
        if picture.startswith(start):
            return name
    return None


def check_picture(picture: bytes, pointer: str, limits: Bounds) -> None:
    """Refuse what is no picture or has more bytes or pixels than allowed; reads the header only.

    Raises:
        InputError: Not a picture, or its header is torn.
        TooLargeError: Too many bytes or pixels.
    """
    if len(picture) > limits.max_image_bytes:
        raise TooLargeError(
            f"The picture at {pointer} has {len(picture):,} bytes; "
            f"this model accepts {limits.max_image_bytes:,}.",
            param=pointer,
        )
    size = _size(picture)
    if size is None:
        raise InputError(
            f"What is at {pointer} is no PNG, JPEG, GIF, BMP or WebP picture, or it is torn.", param=pointer
        )
    width, height = size
    if width * height > limits.max_image_pixels:
        found = "far too many" if width == _MANY else f"{width:,} x {height:,}"
        raise TooLargeError(
            f"The picture at {pointer} has {found} pixels; "
            f"this model accepts {limits.max_image_pixels:,} in all.",
            hint="send it smaller",
            param=pointer,
        )


_STARTS = {b"\x89PNG\r\n\x1a\n": "PNG", b"\xff\xd8\xff": "JPEG", b"GIF8": "GIF", b"BM": "BMP"}


def _size(picture: bytes) -> tuple[int, int] | None:
    """Width and height, or None for what is no whole header."""
    name = format_of(picture)
    if name is None:
        return None
    if name == "WEBP":
        return _webp_size(picture)
    try:
        # Only the header: `open` decodes nothing of these formats.
        with Image.open(io.BytesIO(picture), formats=(name,)) as opened:
            return opened.size
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return _MANY, _MANY
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, ArithmeticError, LookupError):
        return None


def _webp_size(picture: bytes) -> tuple[int, int] | None:
    """Size of a WebP picture; Pillow would allocate the whole canvas to tell it.

    Source: RFC 9649, sections 2.5 to 2.7.
    """
    kind, head = picture[12:16], picture[20:30]
    if len(head) < 10:
        return None
    if kind == b"VP8X":
        return _little(head[4:7]) + 1, _little(head[7:10]) + 1
    if kind == b"VP8L" and head[0] == 0x2F:
        bits = _little(head[1:5])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 " and head[3:6] == b"\x9d\x01\x2a":
        return _little(head[6:8]) & 0x3FFF, _little(head[8:10]) & 0x3FFF
    return None


def _little(value: bytes) -> int:
    return int.from_bytes(value, "little")


# More than any bound, for pictures of which Pillow says no more than that they are a bomb.
_MANY = 1_000_000
