"""Image generation: what does a described picture look like?"""

from __future__ import annotations

import base64
import math
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np

from servery.data.columns import Column, Kind, Role
from servery.data.dataset import Dataset
from servery.data.pixels import grid_of, pixels_of, png_of, shape_of
from servery.errors import InputError
from servery.metrics.pictures import nearest
from servery.tasks.growing import Piece
from servery.tasks.task import Answer, Calibration, LearnableTask, Parameters

LARGEST_SEED = 2**63 - 1
MOST_IMAGES = 10
"""Pictures of one prompt in one request."""
MOST_STEPS = 200
LARGEST_GUIDANCE = 20.0
MOST_PREVIEWS = 10
SEED, WIDTH, HEIGHT, STEPS, GUIDANCE = "seed", "width", "height", "steps", "guidance_scale"
"""What an example carries besides its prompt."""
GRID_GAP = 1
LONGEST_MEASURED_SIDE = 64
"""Larger pictures are compared at this size."""

_Side = Annotated[int, msgspec.Meta(ge=1, le=8192)]
_Steps = Annotated[int, msgspec.Meta(ge=1, le=MOST_STEPS)]


class ImageParameters(Parameters, frozen=True):
    """What a caller may ask.

    Attributes:
        n: Pictures of each prompt; the seeds of further ones follow on the first.
        seed: The same seed gives the same picture; null draws one.
        width: Pixels; a model that makes other sizes refuses. Null for the model's own.
        height: Likewise.
        steps: Steps from noise to picture, of a model that draws in steps; more are finer and slower. Null for the
            model's own number.
        num_inference_steps: The Hub's name of `steps`.
        guidance_scale: How much more a picture follows its prompt than it would by itself, of a model that draws in
            steps; 1 for no more. Null for the model's own.
        grid: One picture of all `n` of a prompt side by side.
        previews: How often a picture is shown while it is drawn, in a stream of a model that draws in steps.
    """

    n: Annotated[int, msgspec.Meta(ge=1, le=MOST_IMAGES)] = 1
    seed: Annotated[int, msgspec.Meta(ge=0, le=LARGEST_SEED)] | None = None
    width: _Side | None = None
    height: _Side | None = None
    steps: _Steps | None = None
    num_inference_steps: _Steps | None = None
    guidance_scale: Annotated[float, msgspec.Meta(ge=0, le=LARGEST_GUIDANCE)] | None = None
    grid: bool = False
    previews: Annotated[int, msgspec.Meta(ge=0, le=MOST_PREVIEWS)] = 0

    @property
    def all_steps(self) -> int | None:
        """The steps by whichever name they were asked for."""
        return self.steps if self.steps is not None else self.num_inference_steps


class ImageAnswer(Answer, frozen=True):
    """One picture as PNG in base64, its size in pixels, and how many drawings it shows: several in a grid."""

    image: str
    width: int
    height: int
    images: int = 1


class ImagePiece(Piece, frozen=True):
    """A step towards a picture, and, now and then where previews were asked for, what it would become."""

    step: int
    steps: int
    preview: ImageAnswer | None = None


@dataclass(frozen=True)
class Drawing:
    """A real picture and what it was called; `picture` is encoded."""

    prompt: str
    picture: bytes


class ImageGeneration(LearnableTask):
    """A picture a prompt, or several.

    `outputs` are float32 from 0 to 1, (rows, channels, height, width), of 1, 3 or 4 channels; of four the colours are
    times the alpha. `targets` are objects, each a `Drawing`.

    What a generator is worth shows in a set of pictures, and a set is judged by a referee that learned from real ones
    (`evaluation.referees.pictures`). What the task measures by itself needs none: whether a picture looks most like a
    real one of its own prompt.
    """

    name = "image-generation"
    title = {"en": "Image generation", "zh": "图像生成"}
    summary = "What does a described picture look like?"
    unit = "images"
    parameters = ImageParameters
    answer = ImageAnswer
    primary_metric = "nearest_real_share"
    quality_title = "share of pictures whose nearest real one has the same prompt"

    def accepts(self, target: Column) -> bool:
        """Whether the target is a picture."""
        return target.kind is Kind.IMAGE

    def labels_of(self, dataset: Dataset) -> tuple[str, ...]:
        """Return the different prompts, sorted: what can be drawn."""
        return tuple(sorted({drawing.prompt for drawing in self.encode_targets(dataset, ())} - {""}))

    def encode_targets(self, dataset: Dataset, labels: Sequence[str]) -> np.ndarray:
        """Return the real pictures with their prompts, (rows,)."""
        texts = [column for column in dataset.inputs if column.kind is Kind.TEXT]
        prompts = dataset[(texts or dataset.inputs)[0].name]
        drawings = np.empty(len(dataset), object)
        for row, picture in enumerate(dataset[dataset.target.name]):
            drawings[row] = Drawing(str(prompts[row] or ""), picture)
        return drawings

    def measure(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> dict[str, float]:
        """Return the share whose nearest real picture has their prompt, and how far it is, as root mean square."""
        places, distances = _nearest_real(targets, outputs)
        prompts = np.array([drawing.prompt for drawing in targets], object)
        return {
            self.primary_metric: float(np.mean(prompts[places] == prompts)),
            "nearest_real_distance": float(distances.mean()),
        }

    def quality(self, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration) -> np.ndarray:
        """Return whether the nearest real picture has the row's prompt, 0 or 1, (rows,)."""
        prompts = np.array([drawing.prompt for drawing in targets], object)
        return np.asarray(prompts[_nearest_real(targets, outputs)[0]] == prompts, np.float64)

    def trivial_outputs(self, targets: np.ndarray, label_count: int, rows: int) -> np.ndarray:
        """Return the mean of the real pictures, for every prompt."""
        pixels = _pixels_of_all(targets, shape_of([d.picture for d in targets], LONGEST_MEASURED_SIDE))
        return np.tile(pixels.mean(axis=0, dtype=np.float32), (rows, 1, 1, 1))

    def repeatable(self, examples: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the examples with a seed each, its place."""
        return [{SEED: place, **example} for place, example in enumerate(examples)]

    def prepared(self, examples: list[dict[str, Any]], parameters: Parameters) -> list[dict[str, Any]]:
        """Return an example a picture, each with its seed, its size and how it is drawn.

        Raises:
            InputError: The steps are named twice.
        """
        asked = parameters if isinstance(parameters, ImageParameters) else ImageParameters()
        if asked.steps is not None and asked.num_inference_steps is not None:
            raise InputError(
                "Both steps and num_inference_steps were sent; they are the same.",
                hint="send one of them",
                param="/parameters/steps",
            )
        return [
            {
                **example,
                SEED: (_seed(asked, example) + place) % (LARGEST_SEED + 1),
                WIDTH: asked.width,
                HEIGHT: asked.height,
                STEPS: asked.all_steps,
                GUIDANCE: asked.guidance_scale,
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
        return [answer_of(row) for row in in_bytes(outputs)]

    def gathered(self, answers: Sequence[Answer], parameters: Parameters) -> list[Answer]:
        """Return the pictures of each prompt as one, where a grid was asked for."""
        if not isinstance(parameters, ImageParameters) or not parameters.grid:
            return list(answers)
        drawn = [answer for answer in answers if isinstance(answer, ImageAnswer)]
        return [_grid(drawn[start : start + parameters.n]) for start in range(0, len(drawn), parameters.n)]

    def units_of(self, answers: Sequence[Answer]) -> int:
        """Return how many pictures were drawn."""
        return sum(answer.images for answer in answers if isinstance(answer, ImageAnswer))

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
                hint='"grid": true makes one of them; POST .../predict answers several',
                param="/inputs",
            )
        return png_bytes(answers[0])


def png_bytes(answer: Answer) -> bytes:
    """Return the bytes of an answer's picture."""
    assert isinstance(answer, ImageAnswer)
    return base64.b64decode(answer.image)


def in_bytes(outputs: np.ndarray) -> np.ndarray:
    """Return outputs as uint8."""
    return np.asarray(np.round(np.clip(outputs, 0.0, 1.0) * 255), np.uint8)


def answer_of(pixels: np.ndarray, images: int = 1) -> ImageAnswer:
    """Return a picture as an answer.

    Args:
        pixels: uint8, (channels, height, width); of four channels the colours are times the alpha.
        images: How many drawings it shows.
    """
    _, height, width = pixels.shape
    return ImageAnswer(base64.b64encode(png_of(pixels)).decode("ascii"), width, height, images)


def _seed(asked: ImageParameters, example: dict[str, Any]) -> int:
    if asked.seed is not None:
        return asked.seed
    return int(example[SEED]) if SEED in example else secrets.randbelow(LARGEST_SEED)


def _grid(answers: Sequence[ImageAnswer]) -> ImageAnswer:
    pictures = [png_bytes(answer) for answer in answers]
    channels = shape_of(pictures, max(answers[0].width, answers[0].height))[0]
    pixels = [pixels_of(picture, (channels, answers[0].height, answers[0].width)) for picture in pictures]
    columns = math.ceil(math.sqrt(len(pixels)))
    return answer_of(grid_of(pixels, columns, GRID_GAP), sum(answer.images for answer in answers))


def _pixels_of_all(targets: np.ndarray, shape: tuple[int, int, int]) -> np.ndarray:
    """Return the real pictures from 0 to 1, float32, (rows, *shape)."""
    return np.stack([pixels_of(drawing.picture, shape) for drawing in targets]).astype(np.float32) / 255


def _nearest_real(targets: np.ndarray, outputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    channels, height, width = outputs.shape[1:]
    return nearest(outputs, _pixels_of_all(targets, (channels, height, width)))


IMAGE_GENERATION = ImageGeneration()
