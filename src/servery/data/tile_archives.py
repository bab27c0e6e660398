"""Data sets of small pictures kept as arrays in one npz file: tiles with a category, drawings as strokes."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from servery.data.pixels import png_of
from servery.data.raw_table import RawTable, object_array
from servery.errors import DataError

STROKE_SIDE = 32
_FINER = 3
"""Strokes are drawn so many times larger and shrunk, for smooth edges."""
_MARGIN = 2
_STROKE_WIDTH = 1.5
_PARTS = {"train": "train", "valid": "validation", "test": "test"}


def read_tiles(path: Path) -> RawTable:
    """Read arrays `images` uint8 (rows, height, width, 4), `category`, `name` and `test`, as crawl-tiles has them.

    Returns:
        The columns `category`, `name`, `image` (PNG) and `part`.

    Raises:
        DataError: The file is none, or lacks one of the arrays.
    """
    arrays = _arrays(path, ("images", "category", "name", "test"))
    pictures = [_tile(image) for image in arrays["images"]]
    return _table(
        {
            "category": [str(category) for category in arrays["category"]],
            "name": [str(name) for name in arrays["name"]],
            "image": pictures,
            "part": ["test" if is_test else "train" for is_test in arrays["test"]],
        }
    )


def read_strokes(path: Path) -> RawTable:
    """Read drawings as points (dx, dy, pen lifted), a part each, as kanji-strokes has them, and draw them in ink.

    Returns:
        The columns `category` ("7 strokes"), `image` (a grey PNG of 32 x 32 pixels) and `part`.

    Raises:
        DataError: The file is none, or lacks one of the arrays.
    """
    names = [f"{part}_{what}" for part in _PARTS for what in ("points", "offsets")]
    arrays = _arrays(path, names)
    rows: dict[str, list[object]] = {"category": [], "image": [], "part": []}
    for spoken, part in _PARTS.items():
        points, offsets = arrays[f"{spoken}_points"], arrays[f"{spoken}_offsets"]
        for drawing in np.split(points, offsets[1:-1]):
            count = int(drawing[:, 2].sum())
            rows["category"].append(f"{count} stroke{'' if count == 1 else 's'}")
            rows["image"].append(png_of(drawn(drawing)[None]))
            rows["part"].append(part)
    return _table(rows)


def drawn(points: np.ndarray) -> np.ndarray:
    """Return a drawing as dark ink on white, its longer side filling the picture, uint8, (32, 32).

    Args:
        points: Each the way from the one before and whether the pen is lifted after it, int, (points, 3).
    """
    places = np.cumsum(points[:, :2].astype(np.float64), axis=0)
    low, high = places.min(axis=0), places.max(axis=0)
    side = _FINER * STROKE_SIDE
    scale = (side - 2 * _FINER * _MARGIN) / max((high - low).max(), 1.0)
    placed = (places - (low + high) / 2) * scale + side / 2
    picture = Image.new("L", (side, side), 255)
    pen, width = ImageDraw.Draw(picture), round(_FINER * _STROKE_WIDTH)
    ends = (np.flatnonzero(points[:, 2]) + 1).tolist()
    for start, end in zip([0, *ends[:-1]], ends, strict=True):
        pen.line(placed[start:end].ravel().tolist(), 0, width)
    return np.asarray(picture.resize((STROKE_SIDE, STROKE_SIDE), Image.Resampling.BOX))


def _arrays(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in names}
    except (OSError, ValueError, KeyError) as error:
        raise DataError(
            f"{path.name} cannot be read: {error}; it should hold the arrays {', '.join(names)}.",
            param="data",
        ) from error


def _tile(image: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG")
    return stream.getvalue()


def _table(columns: Mapping[str, Sequence[object]]) -> RawTable:
    values = {name: object_array(cells) for name, cells in columns.items()}
    rows = len(values["image"])
    return RawTable(values, np.arange(1, rows + 1, dtype=np.int64), facts={"format": "npz"})
