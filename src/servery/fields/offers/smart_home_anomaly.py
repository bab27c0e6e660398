"""Smart home, anomalies: readings of a heating circuit unlike those it usually gives."""

from __future__ import annotations

import numpy as np

from servery.data.building import build_dataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.fields._field import Offer, RecipeChoice

_KINDS = {
    "outside_c": "number",
    "flow_c": "number",
    "return_c": "number",
    "pump_w": "number",
    "mode": "category",
    "is_fault": "category",
}
SHARE = 0.08


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Make readings; of the faulty ones some have a stuck pump, some a cold flow, some a hot return.

    Args:
        rows: How many.
        seed: Equal seeds give equal rows.
    """
    chance = np.random.default_rng([0x4EA7, seed])
    is_fault, kind = chance.random(rows) < SHARE, chance.integers(0, 3, rows)
    outside = chance.normal(5, 6, rows)
    mode = chance.choice(["day", "night"], rows, p=[0.65, 0.35])
    flow = 48 - 1.1 * outside - 6 * (mode == "night") + chance.normal(0, 1, rows)
    back = flow - chance.normal(9, 1, rows)
    pump = 30 + 0.5 * (flow - 40) + chance.normal(0, 2, rows)
    stuck, cold, hot = (is_fault & (kind == place) for place in range(3))
    pump[stuck] = chance.uniform(60, 90, int(stuck.sum()))
    flow[cold] -= 28
    back[hot] = flow[hot] + chance.uniform(8, 16, int(hot.sum()))
    numbers = {"outside_c": outside, "flow_c": flow, "return_c": back, "pump_w": pump}
    raw = RawTable(
        {
            **{name: values.round(1).astype(object) for name, values in numbers.items()},
            "mode": mode.astype(object),
            "is_fault": object_array(["yes" if fault else "no" for fault in is_fault]),
        },
        np.arange(1, rows + 1, dtype=np.int64),
        facts={"made": f"generated with seed {seed}, no real heating"},
    )
    return build_dataset(raw, "heating-sample", target="is_fault", kinds=_KINDS, is_sample=True)


OFFER = Offer(
    tasks=("anomaly-detection",),
    form="table",
    recipes=(
        RecipeChoice("isolation-forest", "seconds; learns from the readings alone, the target only judges"),
    ),
    starter_recipe="isolation-forest",
    columns={
        "flow_c, pump_w, ...": "what the sensors read at one moment, with the unit in the name",
        "is_fault": "what is known of some moments; needed to judge alarms and to promise their rate",
    },
    sample=sample,
    sample_name="heating-sample",
    example={"outside_c": 4.0, "flow_c": 43.0, "return_c": 34.0, "pump_w": 32.0, "mode": "day"},
)
