"""The offer of forecasts: how the air will be in the hours to come, at stations that share their weather."""

from __future__ import annotations

import numpy as np

from servery.data.building import build_dataset
from servery.data.catalog import KnownDataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.data.series_files import ELSEWHERE, FUTURE, NOW, ORIGIN, SeriesLayout
from servery.fields._field import Offer, RecipeChoice

_STATIONS = ("Harbour", "Market", "Old Town")
_SHARE_MISSING = 0.03
_SAMPLE = SeriesLayout(target="pm25", group="station", past=24, horizon=12, stride=3)
_BEIJING = SeriesLayout(target="PM2.5", group="station", compass=("wd", "WSPM"))
_BEIJING_SERIES = (
    *("PM2.5", "PM10", "SO2", "NO2", "CO", "O3", "TEMP", "PRES", "DEWP", "RAIN", "WSPM"),
    *("WSPM_east", "WSPM_north", ELSEWHERE),
)
_ROLES = {ORIGIN: "time", NOW: "input"}


def _kinds(*series: str) -> dict[str, str]:
    times = {ORIGIN: "time", NOW: "time", "station": "category"}
    return {**times, **dict.fromkeys((*series, FUTURE), "series")}


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Make rows of three stations: rush hours add, wind takes away, what hangs over one hangs over all.

    Args:
        rows: How many; a row is 24 hours of the past of one station and 12 of the future.
        seed: Equal seeds give equal rows.
    """
    chance = np.random.default_rng([seed, 41])
    length = _SAMPLE.past + _SAMPLE.horizon + _SAMPLE.stride * -(-rows // len(_STATIONS))
    hours = np.arange(length)
    wind = np.empty(length)
    gust = 2.5
    for hour in range(length):
        gust += 0.15 * (2.5 - gust) + chance.normal(0, 0.5)
        wind[hour] = max(gust, 0.0)
    rush = np.exp(-(((hours % 24 - 8) / 2.0) ** 2)) + np.exp(-(((hours % 24 - 19) / 2.5) ** 2))
    columns: dict[str, list[object]] = {name: [] for name in ("time", "station", "pm25", "wind")}
    level = np.empty(length)
    haze = 40.0
    for hour in range(length):
        haze += 4.0 + 9.0 * rush[hour] - haze * (0.03 + 0.045 * wind[hour])
        level[hour] = max(haze, 1.0)
    for place, station in enumerate(_STATIONS):
        own = level * (0.8 + 0.2 * place) + chance.normal(0, 2.0, length)
        is_missing = chance.random(length) < _SHARE_MISSING
        columns["time"] += [np.datetime64("2026-01-05T00:00") + np.timedelta64(int(h), "h") for h in hours]
        columns["station"] += [station] * length
        columns["pm25"] += [
            None if gone else round(v, 1) for v, gone in zip(own.clip(0), is_missing, strict=True)
        ]
        columns["wind"] += (wind + chance.normal(0, 0.2, length)).clip(0).round(1).tolist()
    readings = RawTable(
        {name: object_array(cells) for name, cells in columns.items()},
        np.arange(1, len(columns["time"]) + 1, dtype=np.int64),
        facts={"made": f"generated with seed {seed}, no real air"},
    )
    raw = _SAMPLE.rows(readings, "smart-city-air-sample")
    # In the order of time, so that the first rows are the first hours of every station.
    order = np.argsort(np.array(raw.values[ORIGIN].tolist(), "datetime64[ns]"), kind="stable")[:rows]
    raw = RawTable(
        {name: cells[order] for name, cells in raw.values.items()}, raw.line_numbers[order], facts=raw.facts
    )
    return build_dataset(
        raw,
        "smart-city-air-sample",
        target=FUTURE,
        kinds=_kinds("pm25", "wind", ELSEWHERE),
        roles=_ROLES,
        is_sample=True,
    )


OFFER = Offer(
    tasks=("forecasting",),
    form="series",
    recipes=(
        RecipeChoice(
            "seasonal-naive", "no time; the last reading or that of a day before, whichever is nearer"
        ),
        RecipeChoice("gradient-boosting", "minutes; trees on lags, for some steps ahead each its own"),
        RecipeChoice("lstm", "minutes; all steps at once from the state at the end of the past"),
        RecipeChoice("tcn", "minutes; filters that look back ever further"),
        RecipeChoice("graph-temporal", "minutes; what all stations saw, along a graph given and one learned"),
    ),
    starter_recipe="gradient-boosting",
    columns={
        "time": "when, at equal distances",
        "station": "which series, where there are several",
        "pm25, wind, ...": "a column each reading; the first, or one called value, is forecast",
    },
    sample=sample,
    sample_name="air-sample",
    example={
        "now": "2026-01-06T07:00:00",
        "station": "Market",
        "pm25": [31.0, 30.2, 29.5, None, 27.8, 28.1, 30.4, 34.9],
        "wind": [2.1, 2.4, 2.2, 2.0, 1.8, 1.9, 2.2, 2.6],
        ELSEWHERE: [30.0, 29.9, 29.0, 28.1, 27.5, 28.0, 30.1, 35.2],
        "pm25@Harbour": [27.1, 27.0, 26.2, 25.3, 24.8, 25.2, 27.1, 31.7],
        "pm25@Market": [31.0, 30.2, 29.5, None, 27.8, 28.1, 30.4, 34.9],
        "pm25@Old Town": None,
    },
    known_datasets=(
        KnownDataset(
            name="beijing-air-quality",
            folder="smart-city/beijing-air-quality",
            files={"train": "train.parquet", "test": "test.parquet"},
            target=FUTURE,
            kinds=_kinds(*_BEIJING_SERIES),
            roles=_ROLES,
            read=_BEIJING.read,
            license="CC BY 4.0",
            citation="Zhang et al. 2017, Cautionary tales on air-quality improvement in Beijing, Proc. Royal Society A",
        ),
    ),
    target=FUTURE,
    kinds={ORIGIN: "time", NOW: "time", FUTURE: "series", ELSEWHERE: "series"},
    roles=_ROLES,
    read=SeriesLayout().read,
    starter_hyperparameters={"rounds": 60},
)
