"""How much is asked for in an hour, from the calendar and the weather."""

from __future__ import annotations

import numpy as np

from servery.data.building import build_dataset
from servery.data.catalog import KnownDataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.fields._field import Offer, RecipeChoice

_KINDS = {
    "at": "time",
    "hour": "number",
    "weekday": "category",
    "workday": "category",
    "temperature_c": "number",
    "rain_mm": "number",
    "trips": "number",
}
_FIRST_DAY = 4
"""A Friday."""
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_BICYCLES = {
    **dict.fromkeys(("yr", "mnth", "hr", "temp", "atemp", "hum", "windspeed", "cnt"), "number"),
    **dict.fromkeys(("season", "holiday", "weekday", "workingday", "weathersit"), "category"),
    "dteday": "time",
}


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Make hours of bicycle trips one after the other: two rush hours on workdays, long afternoons on others.

    Args:
        rows: How many hours.
        seed: Equal seeds give equal rows.
    """
    chance = np.random.default_rng([seed, 23])
    count = np.arange(rows)
    hour, day = count % 24, (count // 24 + _FIRST_DAY) % 7
    is_free = (day >= 5) | (chance.random(rows // 24 + 1) < 0.05)[count // 24]
    temperature = (
        14 + 6 * np.sin((hour - 9) / 24 * 2 * np.pi) + chance.normal(0, 4, rows // 24 + 1)[count // 24]
    )
    rain = np.where(chance.random(rows) < 0.15, chance.exponential(1.5, rows), 0.0)
    rush = 90 * np.exp(-(((hour - 8) / 1.6) ** 2)) + 110 * np.exp(-(((hour - 17.5) / 2.0) ** 2))
    leisure = 80 * np.exp(-(((hour - 14.5) / 4.0) ** 2))
    level = (
        (6 + np.where(is_free, leisure, rush)) * (0.4 + 0.04 * temperature.clip(0, 30)) * np.exp(-0.35 * rain)
    )
    columns = {
        "at": [str(np.datetime64("2026-02-27T00:00") + np.timedelta64(int(place), "h")) for place in count],
        "hour": hour.astype(float).tolist(),
        "weekday": [_DAYS[number] for number in day],
        "workday": np.where(is_free, "no", "yes").tolist(),
        "temperature_c": temperature.round(1).tolist(),
        "rain_mm": rain.round(1).tolist(),
        "trips": chance.poisson(level).astype(float).tolist(),
    }
    raw = RawTable(
        {name: object_array(values) for name, values in columns.items()},
        np.arange(1, rows + 1, dtype=np.int64),
        facts={"made": f"generated with seed {seed}, not real trips"},
    )
    roles = {"at": "time"}
    return build_dataset(
        raw, "smart-city-demand-sample", target="trips", kinds=_KINDS, roles=roles, is_sample=True
    )


OFFER = Offer(
    tasks=("regression",),
    form="table",
    recipes=(
        RecipeChoice("linear", "a second; each column has its own curve, none knows of the others"),
        RecipeChoice("gradient-boosting", "seconds to a minute; learns that rush hours are on workdays only"),
        RecipeChoice("mlp", "a minute; smooth, wants a year of hours"),
    ),
    starter_recipe="gradient-boosting",
    starter_hyperparameters={"bags": 2, "rounds": 400},
    columns={
        "at": "when, with the role time: the last hours judge",
        "hour, weather, ...": "what is known of the hour beforehand",
        "trips": "how much was asked for",
    },
    known_datasets=(
        KnownDataset(
            name="bike-sharing-hourly",
            folder="smart-city/bike-sharing-hourly",
            files={"train": "train.csv.gz", "test": "test.csv.gz"},
            target="cnt",
            kinds=_BICYCLES,
            ignored=("instant", "casual", "registered"),
            roles={"dteday": "time"},
            license="CC BY 4.0",
            citation="Fanaee-T and Gama 2014, Event labeling combining ensemble detectors, Progress in AI",
        ),
    ),
    sample=sample,
    example={"hour": 8.0, "weekday": "Tue", "workday": "yes", "temperature_c": 16.5, "rain_mm": 0.0},
)
