"""Segmentation: which parts of a picture show what, pixel by pixel?"""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from servery.data.columns import Kind
from servery.tasks.task import Answer, Calibration, Parameters, Task

LONGEST_SIDE = 1024
"""Of the map of a picture, in pixels; masks of larger pictures are enlarged from it."""
_Share = Annotated[float, msgspec.Meta(ge=0.0, le=1.0)]


class SegmentationParameters(Parameters, frozen=True):
    """What a caller may ask.

    Attributes:
        threshold: Least score of a segment that is answered.
        mask_threshold: Least chance of a pixel that counts for its segment.
        subtask: Of the Hub's client; "semantic" is the only one.
    """

    threshold: _Share | None = None
    mask_threshold: _Share | None = None
    subtask: Literal["semantic"] | None = None


class Segment(msgspec.Struct, frozen=True):
    """Everything of one label in a picture.

    Attributes:
        label: What it shows.
        score: Mean chance of its pixels.
        share: Of the picture's area.
        mask: PNG in base64, as large as the picture: white where it is, black elsewhere.
    """

    label: str
    score: float
    share: float
    mask: str


class SegmentationAnswer(Answer, frozen=True):
    """The segments of a picture, the largest first, and its width and height in pixels."""

    segments: tuple[Segment, ...]
    width: int
    height: int


class Segmentation(Task):
    """A label for each pixel.

    `outputs` are objects, (rows,), each float32, (3, down, across): the number of the likeliest label of each pixel of
    the map, its chance, and a plane that begins with the picture's width and height in pixels.
    """

    name = "segmentation"
    title = {"en": "Image segmentation", "zh": "图像分割"}
    summary = "Which parts of a picture show what, pixel by pixel?"
    parameters = SegmentationParameters
    answer = SegmentationAnswer

    def decode(
        self, outputs: np.ndarray, labels: Sequence[str], calibration: Calibration, parameters: Parameters
    ) -> list[Answer]:
        """Return the segments of each picture."""
        asked = parameters if isinstance(parameters, SegmentationParameters) else SegmentationParameters()
        return [_answer(row, labels, asked) for row in outputs]

    def best_label(self, answer: Any) -> str:
        """Return the label of the largest segment; empty where there is none."""
        return answer.segments[0].label if answer.segments else ""

    def score_of(self, answer: Any, label: str) -> float:
        """Return a label's share of the picture times the score there; 0 where it is not in it."""
        return float(sum(found.share * found.score for found in answer.segments if found.label == label))

    def hub_name(self, kinds: frozenset[Kind]) -> str:
        """Return "image-segmentation"."""
        return "image-segmentation"

    def hub_answers(self, answers: Sequence[Answer], kinds: frozenset[Kind], is_batch: bool) -> Any:
        """Return a list of label, score and mask of one picture, a list of them of several."""
        rows = [
            [{"label": s.label, "score": s.score, "mask": s.mask} for s in answer.segments]
            for answer in answers
            if isinstance(answer, SegmentationAnswer)
        ]
        return rows if is_batch else rows[0]


def map_size(width: int, height: int, longest: int) -> tuple[int, int]:
    """Return the size of a picture's map, with room for its width and height in one line.

    >>> map_size(640, 480, 1024), map_size(4000, 1000, 1024), map_size(1, 1, 1024)
    ((640, 480), (1024, 256), (2, 1))
    """
    scale = min(1.0, longest / max(width, height))
    return max(2, round(width * scale)), max(1, round(height * scale))


def _answer(row: np.ndarray, labels: Sequence[str], asked: SegmentationParameters) -> SegmentationAnswer:
    numbers, chances = row[0].astype(np.int64), row[1]
    width, height = (int(side) for side in row[2, 0, :2])
    is_sure = chances >= (asked.mask_threshold or 0.0)
    found = []
    for number in np.unique(numbers[is_sure]).tolist():
        mask = (numbers == number) & is_sure
        score = float(chances[mask].mean())
        if score >= (asked.threshold or 0.0):
            found.append(Segment(labels[number], score, float(mask.mean()), _png(mask, width, height)))
    found.sort(key=lambda segment: -segment.share)
    return SegmentationAnswer(tuple(found), width, height)


def _png(mask: np.ndarray, width: int, height: int) -> str:
    from PIL import Image

    picture = Image.fromarray(mask.astype(np.uint8) * 255)
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.NEAREST)
    written = io.BytesIO()
    picture.save(written, "PNG", optimize=False)
    return base64.b64encode(written.getvalue()).decode()


SEGMENTATION = Segmentation()
