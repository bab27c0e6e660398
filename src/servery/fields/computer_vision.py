"""Computer vision: which of a few classes a picture shows, and where in it things are."""

from __future__ import annotations

import io
import math
import random
from typing import Any

import numpy as np

from servery.data.building import build_dataset
from servery.data.catalog import KnownDataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.fields._field import Field, Offer, RecipeChoice
from servery.fields.offers.computer_vision_detection import OFFER as DETECTION

_SIDE = 28
_SHAPES = {"circle": 0, "triangle": 3, "square": 4, "star": 5, "cross": -1}
"""Shape to its number of corners; a circle has none, a cross is drawn with two strokes."""

_EXAMPLE = (
    "iVBORw0KGgoAAAANSUhEUgAAABwAAAAcCAAAAABXZoBIAAAATUlEQVR42s2Syw0AIAhDizO4/zxvLM8KmnpSToTmNf"
    "yiax9Nz0UOIrPq27IY2yRrTy5JGsckyVmrdsONLdWKHRJV1zFIUh1Jis+/b44B1qYPNwA31/AAAAAASUVORK5CYII="
)
"""A bright triangle, as the base64 of its PNG."""


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Draw grey 28 x 28 pictures of five shapes, of varying place, size, turn and brightness, with noise.

    Args:
        rows: How many.
        seed: Equal seeds give equal pictures.
    """
    chance = random.Random(f"shapes {seed}")
    labels = [chance.choice(list(_SHAPES)) for _ in range(rows)]
    pictures = [_draw(label, chance) for label in labels]
    return _dataset("computer-vision-sample", pictures, labels, f"drawn with seed {seed}, not real", True)


def _draw(shape: str, chance: random.Random) -> bytes:
    """Return one shape as PNG."""
    from PIL import Image, ImageDraw

    # Drawn at four times the size and shrunk, for smooth edges.
    side = 4 * _SIDE
    picture = Image.new("L", (side, side), 0)
    pen = ImageDraw.Draw(picture)
    x, y = (side / 2 + chance.uniform(-0.08, 0.08) * side for _ in range(2))
    radius, turn = chance.uniform(0.24, 0.36) * side, chance.uniform(-0.2, 0.2) - math.pi / 2
    width = chance.choice((8, 12, 0))
    _outline(pen, shape, (x, y), radius, turn, width)
    small = np.asarray(picture.resize((_SIDE, _SIDE), Image.Resampling.BOX), dtype=np.float64)
    noise = np.random.default_rng(chance.getrandbits(64)).normal(0, 28, small.shape)
    paper, ink = chance.uniform(10, 70), chance.uniform(0.5, 1.0)
    return _png(np.clip(paper + ink * small + noise, 0, 255).astype(np.uint8))


def _outline(
    pen: Any, shape: str, centre: tuple[float, float], radius: float, turn: float, width: int
) -> None:
    """Draw a shape; a width of 0 fills it."""
    x, y = centre

    def point(angle: float, reach: float = 1.0) -> tuple[float, float]:
        return x + reach * radius * math.cos(turn + angle), y + reach * radius * math.sin(turn + angle)

    if shape == "circle":
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), None if width else 255, 255, width or 1)
        return
    if shape == "cross":
        for angle in (0.0, math.pi / 2):
            pen.line((point(angle), point(angle + math.pi)), 255, width or 16)
        return
    corners = _SHAPES[shape]
    reaches = (1.0, 0.42) if shape == "star" else (1.0,)
    steps = corners * len(reaches)
    points = [point(2 * math.pi * i / steps, reaches[i % len(reaches)]) for i in range(steps)]
    if width:
        pen.line([*points, points[0], points[1]], 255, width, joint="curve")
    else:
        pen.polygon(points, 255)


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()


def carried() -> Dataset:
    """Read the 1,797 handwritten digits of 8 x 8 pixels that scikit-learn carries."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    pictures = [_png((image * (255 / 16)).astype(np.uint8)) for image in digits.images]
    terms = "Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits, UCI (CC BY 4.0)"
    return _dataset("digits", pictures, [str(label) for label in digits.target], terms, False)


def _dataset(name: str, pictures: list[bytes], labels: list[str], made: str, is_sample: bool) -> Dataset:
    raw = RawTable(
        {"image": object_array(pictures), "label": object_array(labels)},
        np.arange(1, len(labels) + 1, dtype=np.int64),
        facts={"made": made} if is_sample else {"citation": made},
    )
    kinds = {"image": "image", "label": "category"}
    return build_dataset(raw, name, target="label", kinds=kinds, is_sample=is_sample)


FIELD = Field(
    name="computer-vision",
    title={"en": "Computer vision", "zh": "计算机视觉"},
    summary={
        "en": "Says which of the classes it learned a picture shows, or finds them in it and draws a box around each.",
        "zh": "判断一张图片属于所学类别中的哪一类，或在图中找出它们并画出边框。",
    },
    offers=(
        Offer(
            tasks=("classification", "multi-label-classification"),
            form="image",
            recipes=(
                RecipeChoice(
                    "mlp", "seconds to a minute; for tiny pictures, knows nothing of neighbouring pixels"
                ),
                RecipeChoice("cnn", "minutes; convolutions with pooling, the one to use on photos"),
            ),
            starter_recipe="mlp",
            columns={"image": "a PNG or JPEG picture", "label": "what it shows"},
            known_datasets=(
                KnownDataset(
                    name="trashnet",
                    folder="computer-vision/trashnet",
                    files={"train": "train.parquet", "validation": "val.parquet", "test": "test.parquet"},
                    target="label",
                    kinds={"image": "image", "label": "category"},
                    ignored=("file",),
                    license="MIT",
                    citation="Yang and Thung 2016, Classification of Trash for Recyclability Status, Stanford CS229",
                ),
            ),
            carried=carried,
            sample=sample,
            example=_EXAMPLE,
        ),
        DETECTION,
    ),
    limits_of_use=(
        "Knows only the classes of its training pictures and names one of them for any picture. Not for recognising "
        "people, and not for safety decisions without a person; other cameras, light or backgrounds lower its accuracy."
    ),
)
