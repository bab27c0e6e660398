"""Encoded pictures: what can be read, within which bounds, and their small grey copies."""

from __future__ import annotations

import io
import warnings

import numpy as np
from PIL import Image

MAX_PICTURE_BYTES = 16 * 2**20
MAX_PICTURE_PIXELS = 25_000_000
FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP")
ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp"})
_ORIENTATION, _QUARTER_TURNS = 274, (5, 6, 7, 8)
"""Of EXIF: the tag that tells how a picture is turned, and the values that swap its sides."""
_STARTS = (b"\x89PNG", b"\xff\xd8\xff", b"RIFF", b"GIF8", b"BM")


def is_picture(content: bytes) -> bool:
    """Whether bytes begin as a picture does; nothing is decoded."""
    return content.startswith(_STARTS)


def fault_of(content: bytes) -> str | None:
    """Return why bytes are no readable picture, or None; a picture beyond the bounds is not decoded.

    >>> fault_of(b"hello")
    'no PNG, JPEG, WEBP, GIF, BMP picture'
    """
    try:
        grey_copy(content, 8)
    except ValueError as error:
        return str(error)
    return None


def size_of(content: bytes) -> tuple[int, int]:
    """Return width and height of an encoded picture as it stands upright; nothing is decoded.

    Raises:
        ValueError: It cannot be opened.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(content), formats=FORMATS)
            is_turned = picture.getexif().get(_ORIENTATION, 1) in _QUARTER_TURNS
    except (Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"no {', '.join(FORMATS)} picture") from error
    return (picture.height, picture.width) if is_turned else (picture.width, picture.height)


def grey_copy(content: bytes, side: int) -> np.ndarray:
    """Return a picture in grey, shrunk to a square.

    Args:
        content: An encoded picture.
        side: Pixels of an edge of the copy.

    Returns:
        Brightness from 0 to 255, float32, (side, side).

    Raises:
        ValueError: Too large, of another format, or torn.
    """
    if len(content) > MAX_PICTURE_BYTES:
        raise ValueError(f"a picture of {len(content) / 2**20:.0f} MiB; at most {MAX_PICTURE_BYTES // 2**20}")
    try:
        with warnings.catch_warnings():
            # Pillow warns of huge pictures when it reads their header; the bound below is the stricter one.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(content), formats=FORMATS)
    except Image.DecompressionBombError as error:
        raise ValueError(f"a picture of more than {MAX_PICTURE_PIXELS:,} pixels") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise ValueError(f"no {', '.join(FORMATS)} picture") from error
    if picture.width * picture.height > MAX_PICTURE_PIXELS:
        raise ValueError(
            f"a picture of {picture.width} x {picture.height} pixels; at most {MAX_PICTURE_PIXELS:,}"
        )
    try:
        # A JPEG decodes itself at a fraction of its size, which is many times quicker.
        picture.draft("L", (2 * side, 2 * side))
        grey = picture.convert("L").resize((side, side), Image.Resampling.BOX)
    except (OSError, SyntaxError, ValueError, IndexError, EOFError) as error:
        raise ValueError(f"a torn picture ({error})") from error
    return np.asarray(grey, dtype=np.float32)
