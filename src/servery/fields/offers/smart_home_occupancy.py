"""Whether somebody is in the room, from what its sensors read."""

from __future__ import annotations

import numpy as np

from servery.data.building import build_dataset
from servery.data.catalog import KnownDataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.fields._field import Offer, RecipeChoice

_READINGS = ("temperature_c", "humidity_percent", "light_lux", "co2_ppm")


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Make readings of an office, a minute apart: people come and go, the air follows them slowly.

    Args:
        rows: How many minutes.
        seed: Equal seeds give equal rows.
    """
    chance = np.random.default_rng([seed, 31])
    occupied = np.zeros(rows, bool)
    start = 0
    while start < rows:
        stay, away = chance.integers(15, 45, 2).tolist()
        occupied[start : start + stay] = True
        start += stay + away
    co2, temperature = np.empty(rows), np.empty(rows)
    level, warmth = 520.0, 20.5
    for minute in range(rows):
        level += 0.06 * ((900 if occupied[minute] else 450) - level) + chance.normal(0, 6)
        warmth += 0.03 * ((22.5 if occupied[minute] else 20.5) - warmth) + chance.normal(0, 0.03)
        co2[minute], temperature[minute] = level, warmth
    lamp = np.where(occupied, chance.normal(380, 90, rows), chance.gamma(1.2, 45, rows)).clip(0)
    columns = {
        "at": [
            str(np.datetime64("2026-02-02T08:00") + np.timedelta64(minute, "m")) for minute in range(rows)
        ],
        "temperature_c": temperature.round(2).tolist(),
        "humidity_percent": chance.normal(27, 2, rows).round(1).tolist(),
        "light_lux": lamp.round(0).tolist(),
        "co2_ppm": co2.round(0).tolist(),
        "occupied": np.where(occupied, "yes", "no").tolist(),
    }
    raw = RawTable(
        {name: object_array(values) for name, values in columns.items()},
        np.arange(1, rows + 1, dtype=np.int64),
        facts={"made": f"generated with seed {seed}, no real room"},
    )
    kinds = {**dict.fromkeys(_READINGS, "number"), "at": "time", "occupied": "category"}
    roles = {"at": "time"}
    return build_dataset(
        raw, "smart-home-sample", target="occupied", kinds=kinds, roles=roles, is_sample=True
    )


def _office(name: str, test: str) -> KnownDataset:
    numbers = ("Temperature", "Humidity", "Light", "CO2", "HumidityRatio")
    return KnownDataset(
        name=name,
        folder="smart-home/office-occupancy",
        files={"train": "train.csv.gz", "test": test},
        target="Occupancy",
        # Learned on some days of the training part and asked about another, every model is better without humidity:
        # it follows the weather of a week (benchmarks/fields/notes/smart-home.md).
        ignored=("Humidity", "HumidityRatio"),
        kinds={**dict.fromkeys(numbers, "number"), "date": "time", "Occupancy": "category"},
        roles={"date": "time"},
        license="CC BY 4.0",
        citation="Candanedo and Feldheim 2016, Accurate occupancy detection of an office room, Energy and Buildings",
    )


OFFER = Offer(
    tasks=("classification",),
    form="table",
    recipes=(
        RecipeChoice("logistic", "a second; small enough for any box"),
        RecipeChoice("gradient-boosting", "seconds; finds thresholds, wants days of many kinds"),
        RecipeChoice("mlp", "a minute; for many sensors"),
    ),
    starter_recipe="logistic",
    columns={
        "at": "when, with the role time: the last readings judge",
        "temperature_c, co2_ppm, ...": "a column each sensor",
        "occupied": "whether somebody was there",
    },
    known_datasets=(
        _office("office-occupancy", "test1.csv.gz"),
        _office("office-occupancy-open-door", "test2.csv.gz"),
    ),
    sample=sample,
    # As they are, numbers are cut nowhere: days of other light and air are not beyond what was met.
    starter_hyperparameters={"transform": "standard", "inverse_penalty": 1.0},
    example={"temperature_c": 21.9, "humidity_percent": 27.0, "light_lux": 410.0, "co2_ppm": 780.0},
)
