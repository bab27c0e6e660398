"""Pictures of a category, drawn anew."""

from __future__ import annotations

import math
import random
from pathlib import Path

import numpy as np

from servery.data.building import build_dataset
from servery.data.catalog import KnownDataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.fields._field import Offer, RecipeChoice

SIDE = 16
_FINER = 4
COLOURS = {"red": (214, 56, 48), "green": (44, 156, 82), "blue": (52, 96, 210)}
CORNERS = {"circle": 0, "square": 4, "triangle": 3}
KINDS = {"category": "text", "prompt": "text", "label": "text", "image": "image"}


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Draw emblems of 16 x 16 pixels on nothing: three shapes in three colours, of varying place, size and shade.

    Args:
        rows: How many.
        seed: Equal seeds give equal pictures.
    """
    chance = random.Random(f"emblems {seed}")
    things = [(colour, shape) for colour in COLOURS for shape in CORNERS]
    drawn = [chance.choice(things) for _ in range(rows)]
    table = RawTable(
        {
            "prompt": object_array([f"{colour} {shape}" for colour, shape in drawn]),
            "image": object_array([_emblem(colour, shape, chance) for colour, shape in drawn]),
        },
        np.arange(1, rows + 1, dtype=np.int64),
        facts={"made": f"drawn with seed {seed}, not real"},
    )
    kinds = {"prompt": "text", "image": "image"}
    return build_dataset(table, "image-generation-sample", target="image", kinds=kinds, is_sample=True)


def _emblem(colour: str, shape: str, chance: random.Random) -> bytes:
    """Return one emblem as PNG, its edges smooth."""
    import io

    from PIL import Image, ImageDraw

    side = _FINER * SIDE
    picture = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    pen = ImageDraw.Draw(picture)
    x, y = (side / 2 + chance.uniform(-0.1, 0.1) * side for _ in range(2))
    radius, shade = chance.uniform(0.25, 0.36) * side, chance.uniform(0.75, 1.15)
    ink = (*(min(round(shade * value), 255) for value in COLOURS[colour]), 255)
    if shape == "circle":
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), ink)
    else:
        corners = CORNERS[shape]
        turn = -math.pi / 2 + (math.pi / 4 if shape == "square" else 0)
        angles = [turn + 2 * math.pi * place / corners for place in range(corners)]
        pen.polygon([(x + radius * math.cos(a), y + radius * math.sin(a)) for a in angles], ink)
    stream = io.BytesIO()
    picture.resize((SIDE, SIDE), Image.Resampling.BOX).save(stream, "PNG")
    return stream.getvalue()


def _read_tiles(path: Path) -> RawTable:
    # Listing the fields must not load what draws and reads pictures.
    from servery.data.tile_archives import read_tiles

    return read_tiles(path)


def _read_strokes(path: Path) -> RawTable:
    from servery.data.tile_archives import read_strokes

    return read_strokes(path)


OFFER = Offer(
    tasks=("image-generation",),
    form="text",
    recipes=(
        RecipeChoice("vae", "a minute; soft pictures, drawn at once"),
        RecipeChoice("diffusion", "a quarter of an hour; drawn in steps, the textbook's noise schedule"),
        RecipeChoice("flow-matching", "a quarter of an hour; drawn in few steps, the one to use"),
    ),
    starter_recipe="vae",
    starter_hyperparameters={"epochs": 25},
    columns={"prompt": "a category, e.g. a word", "image": "a small picture of it, PNG or JPEG"},
    target="image",
    kinds=KINDS,
    known_datasets=(
        KnownDataset(
            name="crawl-tiles",
            folder="image-generation/crawl-tiles",
            files={"train": "tiles.npz", "test": "tiles.npz"},
            target="image",
            kinds={"category": "text", "image": "image"},
            ignored=("name",),
            read=_read_tiles,
            license="CC0 1.0",
            citation="Dungeon Crawl Stone Soup tiles, crawl/tiles, release Nov-2015",
        ),
        KnownDataset(
            name="kanji-strokes",
            folder="image-generation/kanji-strokes",
            files={"train": "strokes.npz", "validation": "strokes.npz", "test": "strokes.npz"},
            target="image",
            kinds={"category": "text", "image": "image"},
            read=_read_strokes,
            license="CC BY-SA 3.0",
            citation="KanjiVG (Ulrich Apel); stroke-3 conversion of hardmaru/sketch-rnn-datasets",
        ),
    ),
    sample=sample,
    example="a red circle",
)
