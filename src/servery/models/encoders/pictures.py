"""Pictures as arrays of bytes of one size."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from servery.data.pictures import FORMATS, MAX_PICTURE_PIXELS
from servery.errors import ArtifactError, InputError, TooLargeError, UnsupportedMediaError
from servery.models.encoder import Batch, Encoder

GREY_TOLERANCE = 2
"""Colour channels this close are grey: saving as JPEG moves them by one or two."""
SAMPLED_PICTURES = 256
"""Training pictures looked at to find size and colours."""


def open_picture(content: object, column: str) -> Image.Image:
    """Return one decoded picture, turned upright, without transparency.

    Raises:
        InputError: `content` is no bytes.
        UnsupportedMediaError: The bytes are no picture, or a torn one.
        TooLargeError: The picture has too many pixels.
    """
    if not isinstance(content, bytes):
        raise InputError(
            f"{column!r} is {type(content).__name__}; expected the bytes of a picture file.",
            param=f"/{column}",
        )
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as picture:
            # Before anything is unpacked: a few kilobytes of file can hold gigabytes of picture.
            if picture.width * picture.height > MAX_PICTURE_PIXELS:
                raise _too_large(f"{picture.width} x {picture.height} pixels", column)
            return _opaque(ImageOps.exif_transpose(picture))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large("far larger", column) from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, IndexError, EOFError) as error:
        raise UnsupportedMediaError(
            f"{column!r} cannot be read as a picture: {error}. Known formats: {', '.join(FORMATS)}.",
            param=f"/{column}",
        ) from error


def _too_large(size: str, column: str) -> TooLargeError:
    limit = f"at most {MAX_PICTURE_PIXELS:,} pixels are read"
    return TooLargeError(f"The picture is {size}; {limit}.", hint="make it smaller", param=f"/{column}")


def _opaque(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I;16"):
        deep = np.asarray(picture, dtype=np.uint16)
        return Image.fromarray((deep >> 8).astype(np.uint8))
    if "A" in picture.mode or "transparency" in picture.info:
        layered = picture.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layered.size, "white"), layered).convert("RGB")
    return picture if picture.mode in {"L", "RGB"} else picture.convert("RGB")


def _is_grey(picture: Image.Image) -> bool:
    if picture.mode == "L":
        return True
    channels = np.asarray(picture.resize((32, 32)), dtype=np.int16)
    return int(np.ptp(channels, axis=2).max()) <= GREY_TOLERANCE


class Pictures(Encoder):
    """Decoded, resized without keeping the aspect ratio (bilinear, antialiased), as bytes 0 to 255.

    Normalising is left to the network, so that an exported network carries it.

    Args:
        column: Name of the picture column.
        width: Pixels.
        height: Pixels.
        channels: 1 for grey, 3 for colour.
    """

    name = "pictures"

    def __init__(self, column: str, width: int, height: int, channels: int) -> None:
        self.column = column
        self.width = width
        self.height = height
        self.channels = channels

    @classmethod
    def fit(cls, examples: Sequence[Mapping[str, Any]], column: str, *, longest_side: int = 128) -> Pictures:
        """Take the median size of the training pictures, made smaller if it is over `longest_side`.

        Grey if all pictures looked at are. At most 256 are looked at, evenly spread over the rows.
        """
        step = max(len(examples) // SAMPLED_PICTURES, 1)
        pictures = [open_picture(example.get(column), column) for example in examples[::step]]
        width, height = np.median([picture.size for picture in pictures], axis=0)
        channels = 1 if all(_is_grey(picture) for picture in pictures) else 3
        found = cls(column, round(width), round(height), channels)
        return found.resized(min(1.0, longest_side / max(width, height)))

    def resized(self, scale: float) -> Pictures:
        """Return an encoder of the same pictures in another size."""
        width, height = max(round(self.width * scale), 1), max(round(self.height * scale), 1)
        return Pictures(self.column, width, height, self.channels)

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return `pixels`, uint8, (rows, channels, height, width).

        Raises:
            InputError: A value is no picture, or too large a one.
        """
        shape = (len(examples), self.height, self.width, self.channels)
        pixels = np.empty(shape, np.uint8)
        for row, example in enumerate(examples):
            picture = open_picture(example.get(self.column), self.column)
            picture = picture.convert("L" if self.channels == 1 else "RGB")
            if picture.size != (self.width, self.height):
                picture = picture.resize((self.width, self.height), Image.Resampling.BILINEAR)
            pixels[row] = np.asarray(picture).reshape(shape[1:])
        return {"pixels": np.ascontiguousarray(pixels.transpose(0, 3, 1, 2))}

    def state(self) -> dict[str, Any]:
        """Return the column and the size."""
        return {
            "column": self.column,
            "width": self.width,
            "height": self.height,
            "channels": self.channels,
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Pictures:
        """Rebuild the encoder.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        try:
            width, height, channels = (int(state[key]) for key in ("width", "height", "channels"))
            if not (0 < width * height <= MAX_PICTURE_PIXELS and channels in {1, 3}):
                raise ValueError(f"pictures of {width} x {height} x {channels}")
            return cls(str(state["column"]), width, height, channels)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"The state of the encoder 'pictures' is torn: {error!r}.") from error
