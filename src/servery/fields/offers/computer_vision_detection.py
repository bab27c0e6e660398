"""The offer of object detection: boxes around things in pictures; its sample is drawn shapes."""

from __future__ import annotations

import io
import json
import random
from typing import Any

import numpy as np

from servery.data.building import build_dataset
from servery.data.catalog import KnownDataset
from servery.data.coco_folders import read_with_coco
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.fields._field import Offer, RecipeChoice

WIDTH, HEIGHT = 64, 48
SHAPES = ("circle", "square", "triangle")
MOST_SHAPES = 3
GAP = 2
"""Pixels between two shapes, at least."""
EXAMPLE = (
    "iVBORw0KGgoAAAANSUhEUgAAAEAAAAAwCAIAAAAuKetIAAAAsElEQVR42u3XsRGAIAyFYeAYhiEcgcIhHMExHMEhLBjBwez19AIU"
    "AfypKd5HOBJsCJPpeTnT+QIAAAAA3eUlm9J27xVxPRsB2O9G9ozeGsMVp5ds0AQIw6kbXH0sXcOIz2jBiSoWgUYGAMB4gIIBQXGm6L4C"
    "r8Oc/GnPPf45LQVBj7jnVUAYS30gdTXhWhinvSRiyx8a38U9oZEBAAAAAAAAAAD87EdGBQAAAADgF4ALeZApk6/efxkAAAAASUVORK5C"
    "YII="
)
"""A disc and a square, as the base64 of its PNG."""


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Draw pictures of 64 x 48 pixels with up to three shapes of varying place, size and colour, with noise.

    Args:
        rows: How many.
        seed: Equal seeds give equal pictures.
    """
    chance = random.Random(f"boxes {seed}")
    drawn = [_draw(chance) for _ in range(rows)]
    raw = RawTable(
        {
            "image": object_array([picture for picture, _ in drawn]),
            "boxes": object_array([json.dumps(boxes) for _, boxes in drawn]),
        },
        np.arange(1, rows + 1, dtype=np.int64),
        facts={"made": f"drawn with seed {seed}, not real"},
    )
    kinds = {"image": "image", "boxes": "boxes"}
    return build_dataset(raw, "object-detection-sample", target="boxes", kinds=kinds, is_sample=True)


def _draw(chance: random.Random) -> tuple[bytes, list[dict[str, Any]]]:
    """Return one picture as PNG, and its boxes."""
    from PIL import Image, ImageDraw

    paper = tuple(chance.randint(10, 70) for _ in range(3))
    picture = Image.new("RGB", (WIDTH, HEIGHT), paper)
    pen = ImageDraw.Draw(picture)
    boxes: list[dict[str, Any]] = []
    for _ in range(chance.randint(1, MOST_SHAPES)):
        side = chance.randint(10, 20)
        left, top = chance.randint(0, WIDTH - side), chance.randint(0, HEIGHT - side)
        box = {"xmin": left, "ymin": top, "xmax": left + side, "ymax": top + side}
        if not any(_touch(box, other) for other in boxes):
            label = chance.choice(SHAPES)
            ink = tuple(chance.randint(120, 250) for _ in range(3))
            _shape(pen, label, (left, top, left + side - 1, top + side - 1), ink)
            boxes.append({"label": label, **box})
    noise = np.random.default_rng(chance.getrandbits(64)).normal(0, 12, (HEIGHT, WIDTH, 3))
    return _png(np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8)), boxes


def _touch(one: dict[str, Any], other: dict[str, Any]) -> bool:
    axes = (("xmin", "xmax"), ("ymin", "ymax"))
    return all(one[low] < other[high] + GAP and other[low] < one[high] + GAP for low, high in axes)


def _shape(pen: Any, label: str, box: tuple[int, int, int, int], ink: tuple[int, ...]) -> None:
    left, top, right, bottom = box
    if label == "circle":
        pen.ellipse(box, ink)
    elif label == "square":
        pen.rectangle(box, ink)
    else:
        pen.polygon([((left + right) / 2, top), (right, bottom), (left, bottom)], ink)


def _png(pixels: np.ndarray) -> bytes:
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, format="PNG")
    return stream.getvalue()


OFFER = Offer(
    tasks=("detection",),
    form="image",
    recipes=(
        RecipeChoice("cnn", "half a minute; small pictures, a few convolutions: what others are measured by"),
        RecipeChoice("centernet", "minutes; residual network with a feature pyramid, trained from scratch"),
    ),
    starter_recipe="centernet",
    columns={
        "image": "a PNG or JPEG picture",
        "boxes": 'the things in it, a list of {"label", "xmin", "ymin", "xmax", "ymax"} in pixels; [] for none',
    },
    target="boxes",
    kinds={"image": "image", "boxes": "boxes"},
    read=read_with_coco,
    known_datasets=(
        KnownDataset(
            name="bccd-detection",
            folder="computer-vision/bccd-detection",
            files={"train": "train.parquet", "validation": "val.parquet", "test": "test.parquet"},
            target="boxes",
            kinds={"image": "image", "boxes": "boxes"},
            ignored=("file", "width", "height"),
            license="MIT",
            citation="Shenggan 2017, BCCD Dataset (blood cell detection)",
        ),
    ),
    sample=sample,
    example=EXAMPLE,
)
