"""Pictures as arrays of bytes of one size, their shapes kept: shrunk into the upper left corner of a grey sheet."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from servery.data.pictures import MAX_PICTURE_PIXELS
from servery.errors import ArtifactError
from servery.models.encoder import Batch, Encoder
from servery.models.encoders.pictures import Pictures, open_picture

GREY = 127
"""What the sheet is filled with, beside the picture."""


class Letterbox(Encoder):
    """Decoded, turned upright, resized by one factor for both sides (bilinear, antialiased), as bytes 0 to 255.

    Args:
        column: Name of the picture column.
        width: Pixels of the sheet.
        height: Pixels of the sheet.
        channels: 1 for grey, 3 for colour.
    """

    name = "letterbox"

    def __init__(self, column: str, width: int, height: int, channels: int) -> None:
        self.column = column
        self.width = width
        self.height = height
        self.channels = channels

    @classmethod
    def fit(
        cls, examples: Sequence[Mapping[str, Any]], column: str, *, longest_side: int, step: int
    ) -> Letterbox:
        """Take the median size of the training pictures, made smaller if it is over `longest_side`.

        Args:
            examples: The training rows.
            column: Name of the picture column.
            longest_side: Pixels.
            step: Both sides become multiples of it.
        """
        found = Pictures.fit(examples, column, longest_side=longest_side)
        width, height = (math.ceil(side / step) * step for side in (found.width, found.height))
        return cls(column, width, height, found.channels)

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return the sheets and what stands on them.

        Returns:
            `pixels`, uint8, (rows, channels, height, width); `frames`, float32, (rows, 4): width and height of the
            picture in pixels, then those of its copy on the sheet.

        Raises:
            InputError: A value is no picture, or too large a one.
        """
        pixels = np.full((len(examples), self.height, self.width, self.channels), GREY, np.uint8)
        frames = np.empty((len(examples), 4), np.float32)
        for row, example in enumerate(examples):
            picture = open_picture(example.get(self.column), self.column)
            picture = picture.convert("L" if self.channels == 1 else "RGB")
            scale = min(self.width / picture.width, self.height / picture.height)
            width = min(max(round(picture.width * scale), 1), self.width)
            height = min(max(round(picture.height * scale), 1), self.height)
            frames[row] = (*picture.size, width, height)
            if picture.size != (width, height):
                picture = picture.resize((width, height), Image.Resampling.BILINEAR)
            pixels[row, :height, :width] = np.asarray(picture).reshape(height, width, self.channels)
        return {"pixels": np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)), "frames": frames}

    def state(self) -> dict[str, Any]:
        """Return the column and the size."""
        return {
            "column": self.column,
            "width": self.width,
            "height": self.height,
            "channels": self.channels,
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Letterbox:
        """Rebuild the encoder.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        try:
            width, height, channels = (int(state[key]) for key in ("width", "height", "channels"))
            if not (0 < width * height <= MAX_PICTURE_PIXELS and channels in {1, 3}):
                raise ValueError(f"sheets of {width} x {height} x {channels}")
            return cls(str(state["column"]), width, height, channels)
        except (KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"The state of the encoder 'letterbox' is torn: {error!r}.") from error
