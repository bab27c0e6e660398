"""Image generation: what does a described picture look like?"""

from __future__ import annotations

import base64
import io
import secrets
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import numpy as np
from PIL import Image

from servery.data.columns import Column, Kind, Role
from servery.errors import InputError
from servery.tasks.task import Answer, Calibration, Parameters, Task

LARGEST_SEED = 2**63 - 1
MOST_IMAGES = 10
"""Pictures of one prompt in one request."""
SEED, WIDTH, HEIGHT = "seed", "width", "height"
"""What an example carries besides its prompt."""

_Side = Annotated[int, msgspec.Meta(ge=1, le=8192)]


class ImageParameters(Parameters, frozen=True):
    """What a caller may ask.

    Attributes:
        n: Pictures of each prompt; the seeds of further ones follow on the first.
        seed: The same seed gives the same picture; null draws one.
        width: Pixels; a model that makes other sizes refuses. Null for the model's own.
        height: Likewise.
    """

    n: Annotated[int, msgspec.Meta(ge=1, le=MOST_IMAGES)] = 1
    seed: Annotated[int, msgspec.Meta(ge=0, le=LARGEST_SEED)] | None = None
    width: _Side | None = None
    height: _Side | None = None


class ImageAnswer(Answer, frozen=True):
    """One picture as PNG in base64, and its size in pixels."""

    image: str
    width: int
    height: int


class ImageGeneration(Task):
    """A picture a prompt, or several.

    `outputs` are float32 from 0 to 1, (rows, channels, height, width), of 1 or 3 channels.
    """

    name = "image-generation"
    title = {"en": "Image generation", "zh": "图像生成"}
    summary = "What does a described picture look like?"
    unit = "images"
    parameters = ImageParameters
    answer = ImageAnswer

    def prepared(self, examples: list[dict[str, Any]], parameters: Parameters) -> list[dict[str, Any]]:
        """Return an example a picture, each with its seed and size."""
        asked = parameters if isinstance(parameters, ImageParameters) else ImageParameters()
        return [
            {
                **example,
                SEED: (_seed(asked) + place) % (LARGEST_SEED + 1),
                WIDTH: asked.width,
                HEIGHT: asked.height,
            }
            for example in examples
            for place in range(asked.n)
        ]

    def decode(
        self,
        outputs: np.ndarray,
        labels: Sequence[str],
        calibration: Calibration,
        parameters: Parameters,
    ) -> list[Answer]:
        """Return one PNG a row."""
        pixels = np.round(np.clip(outputs, 0.0, 1.0) * 255).astype(np.uint8)
        return [_answer(row) for row in pixels]

    def output_tensors(self, labels: Sequence[str]) -> tuple[Column, ...]:
        """Return "image": the bytes of a PNG."""
        return (Column("image", Kind.IMAGE, Role.TARGET),)

    def to_tensors(
        self, answers: Sequence[Answer], labels: Sequence[str], names: Sequence[str]
    ) -> dict[str, np.ndarray]:
        """Return the pictures, (pictures,)."""
        pictures = [base64.b64decode(a.image) for a in answers if isinstance(a, ImageAnswer)]
        return {"image": np.array(pictures, object)}

    def hub_name(self, kinds: frozenset[Kind]) -> str:
        """Return "text-to-image"."""
        return "text-to-image"

    def hub_answers(self, answers: Sequence[Answer], kinds: frozenset[Kind], is_batch: bool) -> Any:
        """Return the bytes of the picture, as the client reads them.

        Raises:
            InputError: There is more than one; the Hub's form has room for one.
        """
        if len(answers) != 1:
            raise InputError(
                f"The Hub's form answers one picture; {len(answers)} were asked for.",
                hint="POST .../predict answers several",
                param="/inputs",
            )
        return png_of(answers[0])


def png_of(answer: Answer) -> bytes:
    """Return the bytes of an answer's picture."""
    assert isinstance(answer, ImageAnswer)
    return base64.b64decode(answer.image)


def _seed(asked: ImageParameters) -> int:
    return secrets.randbelow(LARGEST_SEED) if asked.seed is None else asked.seed


def _answer(pixels: np.ndarray) -> ImageAnswer:
    channels, height, width = pixels.shape
    picture = Image.fromarray(pixels[0] if channels == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return ImageAnswer(base64.b64encode(stream.getvalue()).decode("ascii"), width, height)


IMAGE_GENERATION = ImageGeneration()
