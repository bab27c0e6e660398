"""One picture under way from noise: where it stands, and what it is expected to become."""

from __future__ import annotations

import numpy as np

from servery.models.growing import Growth
from servery.tasks.image_generation import ImageAnswer, ImagePiece, answer_of, in_bytes


class PictureGrowth(Growth):
    """A picture drawn in even steps of time.

    Args:
        noise: What it begins with, float32, (channels, height, width).
        thing: The category to draw.
        steps: How many.
        guidance: How much more it follows its category than by itself.
        previews: How often what it is expected to become is shown on the way.

    Attributes:
        seen: The picture with the noise that is left, about -1 to 1.
    """

    def __init__(self, noise: np.ndarray, thing: int, steps: int, guidance: float, previews: int) -> None:
        self.seen = noise
        self.thing = thing
        self.guidance = guidance
        self._steps = steps
        self._step = 0
        # Evenly over the steps, the last one not among them: that is the answer.
        self._shown = {round(steps * (place + 1) / (previews + 1)) for place in range(previews)} - {steps}
        self._answer: ImageAnswer | None = None

    @property
    def time(self) -> float:
        """Where it stands, from 0 to 1."""
        return self._step / self._steps

    @property
    def next_time(self) -> float:
        """Where it stands after the next step."""
        return (self._step + 1) / self._steps

    @property
    def is_done(self) -> bool:
        """Whether the last step was taken."""
        return self._step == self._steps

    @property
    def prompt_units(self) -> int:
        """Nothing: pictures are counted."""
        return 0

    @property
    def read_units(self) -> int:
        """Nothing: pictures are counted."""
        return 0

    @property
    def grown_units(self) -> int:
        """One picture, once it is there."""
        return int(self.is_done)

    @property
    def most_grown_units(self) -> int:
        """One picture."""
        return 1

    @property
    def picture(self) -> np.ndarray:
        """What is seen, float32 from 0 to 1, (channels, height, width)."""
        return _from_zero_to_one(self.seen)

    @property
    def answer(self) -> ImageAnswer:
        """The picture, noise that is left included."""
        if self._answer is None or not self.is_done:
            self._answer = answer_of(in_bytes(self.picture))
        return self._answer

    def grow(self, seen: np.ndarray, picture: np.ndarray) -> ImagePiece:
        """Take a step.

        Args:
            seen: What is seen after it.
            picture: What it is expected to become.
        """
        self.seen = seen
        self._step += 1
        preview = answer_of(in_bytes(_from_zero_to_one(picture))) if self._step in self._shown else None
        return ImagePiece(self._step, self._steps, preview)


def _from_zero_to_one(pixels: np.ndarray) -> np.ndarray:
    return np.clip((pixels + 1) / 2, 0, 1).astype(np.float32)
