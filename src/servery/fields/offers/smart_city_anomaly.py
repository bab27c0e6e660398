"""Smart city, anomalies: hours of a water district unlike those it usually has."""

from __future__ import annotations

import numpy as np

from servery.data.building import build_dataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.fields._field import Offer, RecipeChoice

_KINDS = {
    "hour": "number",
    "inflow_m3": "number",
    "pressure_bar": "number",
    "temperature_c": "number",
    "day": "category",
    "is_leak": "category",
}
SHARE = 0.08


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Make hours of a district; of the odd ones some draw water by night, some lose pressure, some do both.

    Args:
        rows: How many.
        seed: Equal seeds give equal rows.
    """
    chance = np.random.default_rng([0x3A7E4, seed])
    is_leak, kind = chance.random(rows) < SHARE, chance.integers(0, 3, rows)
    hour = chance.integers(0, 24, rows).astype(float)
    day = chance.choice(["workday", "weekend"], rows, p=[0.7, 0.3])
    temperature = chance.normal(14, 8, rows)
    shape = 1 + 0.8 * np.sin((hour - 7) / 24 * 2 * np.pi) + 0.2 * (day == "weekend")
    inflow = 40 * shape + 0.6 * np.maximum(temperature - 15, 0) + chance.normal(0, 3, rows)
    pressure = 4.2 - 0.006 * inflow + chance.normal(0, 0.04, rows)
    inflow[is_leak & (kind != 1)] += 95
    pressure[is_leak & (kind != 0)] -= 1.3
    numbers = {"hour": hour, "inflow_m3": inflow, "pressure_bar": pressure, "temperature_c": temperature}
    raw = RawTable(
        {
            **{name: values.round(2).astype(object) for name, values in numbers.items()},
            "day": day.astype(object),
            "is_leak": object_array(["yes" if leak else "no" for leak in is_leak]),
        },
        np.arange(1, rows + 1, dtype=np.int64),
        facts={"made": f"generated with seed {seed}, no real district"},
    )
    return build_dataset(raw, "water-sample", target="is_leak", kinds=_KINDS, is_sample=True)


OFFER = Offer(
    tasks=("anomaly-detection",),
    form="table",
    recipes=(
        RecipeChoice("isolation-forest", "seconds; learns from the hours alone, the target only judges it"),
    ),
    starter_recipe="isolation-forest",
    columns={
        "inflow_m3, pressure_bar, ...": "what was measured in one hour, with the unit in the name",
        "is_leak": "what is known of some hours; needed to judge alarms and to promise their rate",
    },
    sample=sample,
    sample_name="water-sample",
    example={"hour": 9.0, "inflow_m3": 52.0, "pressure_bar": 3.9, "temperature_c": 12.0, "day": "workday"},
)
