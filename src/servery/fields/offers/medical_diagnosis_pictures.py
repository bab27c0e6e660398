"""Whether a finding is present, from a picture of the inside of the body."""

from __future__ import annotations

import base64

import numpy as np

from servery.data.building import build_dataset
from servery.data.catalog import KnownDataset
from servery.data.dataset import Dataset
from servery.data.labelled_archives import labelled_pictures
from servery.data.pixels import png_of
from servery.data.raw_table import RawTable, object_array
from servery.fields._field import Offer, RecipeChoice

SIDE = 28
_KINDS = {"image": "image", "finding": "category"}


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Make grey pictures of two dark lungs in a bright chest, every second one with a cloudy spot.

    Args:
        rows: How many.
        seed: Equal seeds give equal rows.
    """
    chance = np.random.default_rng([seed, 11])
    clouded = chance.permutation(np.arange(rows) % 2 == 1)
    raw = RawTable(
        {
            "image": object_array([_chest(chance, bool(cloud)) for cloud in clouded]),
            "finding": object_array(["opacity" if cloud else "clear" for cloud in clouded]),
        },
        np.arange(1, rows + 1, dtype=np.int64),
        facts={"made": f"drawn with seed {seed}, not real patients"},
    )
    return build_dataset(raw, "medical-pictures-sample", target="finding", kinds=_KINDS, is_sample=True)


def _chest(chance: np.random.Generator, is_clouded: bool) -> bytes:
    y, x = np.mgrid[:SIDE, :SIDE] / (SIDE - 1) * 2 - 1  # (side, side) from -1 to 1
    shift, size = chance.normal(0, 0.06, 2), chance.uniform(0.85, 1.15)
    light = np.full((SIDE, SIDE), chance.uniform(0.62, 0.78))
    for side in (-1, 1):
        across, down = (x - shift[0] - 0.45 * side) / (0.30 * size), (y - shift[1]) / (0.70 * size)
        light -= 0.38 / (1 + np.exp(14 * (across**2 + down**2 - 1)))
    if is_clouded:
        centre = np.array([chance.choice([-0.45, 0.45]), 0.0]) + shift + chance.normal(0, [0.06, 0.22])
        spot = ((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / chance.uniform(0.12, 0.22) ** 2
        light += chance.uniform(0.16, 0.30) * np.exp(-spot)
    light += chance.normal(0, 0.05, light.shape)
    return png_of((light.clip(0, 1) * 255).astype(np.uint8)[None])


OFFER = Offer(
    tasks=("classification",),
    form="image",
    recipes=(
        RecipeChoice("mlp", "seconds; for tiny pictures, knows nothing of neighbouring pixels"),
        RecipeChoice("cnn", "minutes; convolutions with pooling, the one to use"),
    ),
    starter_recipe="cnn",
    starter_hyperparameters={"longest_side": 28},
    columns={"image": "a PNG or JPEG picture", "finding": "what was diagnosed by other means"},
    known_datasets=(
        KnownDataset(
            name="pneumonia-mnist",
            folder="medical-diagnosis/pneumonia-mnist",
            files=dict.fromkeys(("train", "validation", "test"), "pneumonia-mnist.npz"),
            target="label",
            kinds={"image": "image", "label": "category"},
            read=labelled_pictures(("normal", "pneumonia")),
            license="CC BY 4.0",
            citation="Yang et al. 2023, MedMNIST v2, Scientific Data; Kermany et al. 2018, Cell",
        ),
    ),
    positives=("pneumonia", "opacity"),
    sample=sample,
    sample_name="pictures-sample",
    example=base64.b64encode(_chest(np.random.default_rng(4), True)).decode(),
)
