"""Pictures as arrays of bytes of one size, with the size that each had: for answers in pixels of what was sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.models.encoder import Batch
from servery.models.encoders.pictures import Pictures, open_picture


class MeasuredPictures(Pictures):
    """As `Pictures`, whole and without keeping the aspect ratio; places in them are shares of width and height."""

    name = "measured_pictures"

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return `pixels` as `Pictures` does, and `sizes`, int64, (rows, 2): width and height of what was sent.

        Raises:
            InputError: A value is no picture, or too large a one.
        """
        # Opened once more for its size alone: turned upright it may have other sides than its head says.
        sizes = [open_picture(example.get(self.column), self.column).size for example in examples]
        return {**super().encode(examples, cut=cut), "sizes": np.array(sizes, np.int64).reshape(-1, 2)}
