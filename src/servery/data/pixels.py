"""Pictures as numbers: decoded to one size with transparency kept, and written as PNG."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageOps

from servery.data.pictures import FORMATS

MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""Channels to Pillow's name of them."""
SAMPLED_PICTURES = 256
GREY_TOLERANCE = 8
"""Channels of a grey picture saved in colour differ by no more, of 255."""
COMPRESSION = 3
"""Of nine: small pictures hardly get smaller beyond it, and take three times as long."""
FAINT = 2
"""Least alpha, of 255, whose colour is worth telling."""

PictureShape = tuple[int, int, int]
"""Channels, height and width."""


def shape_of(contents: Sequence[bytes], longest_side: int, multiple: int = 1) -> PictureShape:
    """Return in which shape pictures are best held: their median size and the channels that they need.

    Args:
        contents: Encoded pictures; at most 256 are looked at, evenly spread.
        longest_side: Larger ones are made smaller.
        multiple: Sides are rounded to a multiple of it.
    """
    few = [_opened(content) for content in contents[:: max(len(contents) // SAMPLED_PICTURES, 1)]]
    width, height = np.median([picture.size for picture in few], axis=0)
    scale = min(1.0, longest_side / max(width, height))
    sides = [max(round(side * scale / multiple), 1) * multiple for side in (height, width)]
    if any(np.asarray(picture)[..., 3].min() < 255 for picture in few):
        return 4, sides[0], sides[1]
    return (1 if all(_is_grey(picture) for picture in few) else 3), sides[0], sides[1]


def pixels_of(content: bytes, shape: PictureShape) -> np.ndarray:
    """Return a picture as uint8, (channels, height, width); with four channels, colours are times the alpha.

    Colours times alpha leave nothing to say where nothing is seen, and mean the same when they are averaged. Without
    a channel for it, what is transparent becomes white.

    Args:
        content: An encoded picture.
        shape: What to return.
    """
    channels, height, width = shape
    picture = _opened(content)
    if channels == 4:
        picture = picture.convert("RGBa")
    else:
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
        picture = picture.convert(MODES[channels])
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BOX)
    return np.ascontiguousarray(np.asarray(picture).reshape(height, width, channels).transpose(2, 0, 1))


def png_of(pixels: np.ndarray) -> bytes:
    """Return a picture as PNG; the way back from `pixels_of`.

    Args:
        pixels: uint8, (channels, height, width); of four channels the colours are times the alpha.
    """
    rows = np.ascontiguousarray(pixels.transpose(1, 2, 0))
    if len(pixels) == 4:
        rows = _straight(rows)
    picture = Image.fromarray(rows[..., 0] if len(pixels) == 1 else rows)
    stream = io.BytesIO()
    picture.save(stream, "PNG", compress_level=COMPRESSION)
    return stream.getvalue()


def painted(content: bytes, boxes: Sequence[tuple[int, int, int, int]]) -> bytes:
    """Return an encoded picture with boxes of it in its mean colour, as PNG.

    Args:
        content: The picture.
        boxes: Left, top, width and height in pixels.
    """
    with Image.open(io.BytesIO(content)) as opened:
        pixels = np.asarray(opened.convert("RGB")).copy()  # (height, width, 3)
    mean = pixels.mean(axis=(0, 1))
    for left, top, width, height in boxes:
        pixels[top : top + height, left : left + width] = mean
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def grid_of(pictures: Sequence[np.ndarray], columns: int, gap: int = 0) -> np.ndarray:
    """Return pictures of one shape side by side, row by row; what no picture fills is 0.

    Args:
        pictures: Each (channels, height, width).
        columns: Pictures in a row.
        gap: Pixels between them.

    >>> grid_of([np.ones((1, 2, 2))] * 3, columns=2).shape
    (1, 4, 4)
    """
    channels, height, width = pictures[0].shape
    rows = -(-len(pictures) // columns)
    size = (channels, rows * (height + gap) - gap, columns * (width + gap) - gap)
    grid = np.zeros(size, pictures[0].dtype)
    for place, picture in enumerate(pictures):
        top, left = (place // columns) * (height + gap), (place % columns) * (width + gap)
        grid[:, top : top + height, left : left + width] = picture
    return grid


def _opened(content: bytes) -> Image.Image:
    with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
        return ImageOps.exif_transpose(picture).convert("RGBA")


def _is_grey(picture: Image.Image) -> bool:
    colours = np.asarray(picture, np.int16)[..., :3]
    return int(np.ptp(colours, axis=2).max()) <= GREY_TOLERANCE


def _straight(rows: np.ndarray) -> np.ndarray:
    alpha = rows[..., 3:].astype(np.float32)
    colours = np.where(alpha < FAINT, 0, rows[..., :3] * 255.0 / np.maximum(alpha, 1))
    alpha = np.where(alpha < FAINT, 0, alpha)
    return np.concatenate([np.minimum(np.round(colours), 255), alpha], axis=2).astype(np.uint8)
