"""The offer of a steering forecast: how far the wheel will have turned half a second and a second from now."""

from __future__ import annotations

import numpy as np

from servery.data.building import build_dataset
from servery.data.catalog import KnownDataset
from servery.data.dataset import Dataset
from servery.data.drive_files import AHEAD_MS, ANGLE, AT, CHANGES, DRIVE, PAST_MS, TARGETS, read_drives
from servery.data.raw_table import RawTable, object_array
from servery.fields._field import Offer, RecipeChoice

STEP_MS = 50
APART = 10
"""Steps from one row of the sample to the next: half a second."""
_NUMBERS = dict.fromkeys((AT, ANGLE, *CHANGES, *TARGETS), "number")
_KINDS = {**_NUMBERS, DRIVE: "identifier"}
_HALF, _WHOLE = TARGETS


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Make a drive at 20 rows a second: the wheel swings after bends that come and go, and trembles.

    Args:
        rows: How many windows, half a second apart.
        seed: Equal seeds give equal drives.
    """
    chance = np.random.default_rng([seed, 37])
    before, after = PAST_MS[-1] // STEP_MS, AHEAD_MS[-1] // STEP_MS
    count = before + rows * APART + after
    angles, speed, bend = np.zeros(count), 0.0, 0.0
    for step in range(1, count):
        if chance.random() < 0.02:  # another bend, every two seconds and a half
            bend = chance.normal(0, 0.25)
        speed += 0.05 * (6 * (bend - angles[step - 1]) - 4 * speed) + chance.normal(0, 0.01)
        angles[step] = angles[step - 1] + 0.05 * speed
    angles += chance.normal(0, 0.0005, count)
    now = before + APART * np.arange(rows)
    columns = {
        AT: now * STEP_MS / 1000,
        ANGLE: angles[now],
        **{
            name: angles[now] - angles[now - ms // STEP_MS] for name, ms in zip(CHANGES, PAST_MS, strict=True)
        },
        **{
            name: angles[now + ms // STEP_MS] - angles[now]
            for name, ms in zip(TARGETS, AHEAD_MS, strict=True)
        },
    }
    raw = RawTable(
        {name: object_array(values.round(6).tolist()) for name, values in columns.items()},
        np.arange(1, rows + 1, dtype=np.int64),
        facts={"made": f"generated with seed {seed}, not a real drive"},
    )
    roles = {AT: "time", _WHOLE: "ignored"}
    return build_dataset(raw, "steering-sample", target=_HALF, kinds=_NUMBERS, roles=roles, is_sample=True)


OFFER = Offer(
    tasks=("regression",),
    form="table",
    recipes=(
        RecipeChoice("linear", "a second; goes on as the wheel turned, each change with a curve of its own"),
        RecipeChoice("gradient-boosting", "seconds to a minute; learns how changes act together"),
        RecipeChoice("mlp", "a minute; smooth, between the two"),
    ),
    starter_recipe="linear",
    columns={
        "seconds (or timestamp), angle": "the log of a drive, a row a moment, in radians; windows are made of it",
        "angle, change_50_ms, ...": "or the windows: the angle, and by how much it changed in the last milliseconds",
        "turn_in_500_ms": "how far the wheel had turned half a second later; turn_in_1000_ms is the other target",
    },
    target=_HALF,
    kinds=_KINDS,
    roles={AT: "time", DRIVE: "ignored", _WHOLE: "ignored"},
    read=read_drives,
    sample_name="steering-sample",
    known_datasets=(
        KnownDataset(
            name="udacity-steering",
            folder="autonomous-driving/udacity-steering",
            files={"train": "train.csv.gz", "test": "test.csv.gz"},
            target=_HALF,
            kinds=_KINDS,
            ignored=(AT, _WHOLE),
            roles={DRIVE: "group"},
            read=read_drives,
            license="MIT",
            citation="Udacity 2016, self-driving-car, challenge 2",
        ),
    ),
    sample=sample,
    example={
        "angle": 0.05,
        **{name: round(0.02 * ms / 1000, 4) for name, ms in zip(CHANGES, PAST_MS, strict=True)},
    },
)
