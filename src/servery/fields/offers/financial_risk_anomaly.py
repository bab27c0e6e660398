"""Financial risk, anomalies: payments unlike those an account usually makes."""

from __future__ import annotations

import numpy as np

from servery.data.building import build_dataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.fields._field import Offer, RecipeChoice

_CHANNELS = ("card", "transfer", "cash machine", "direct debit")
_KINDS = {
    "amount": "number",
    "hour": "number",
    "minutes_since_last": "number",
    "distance_km": "number",
    "channel": "category",
    "is_fraud": "category",
}
SHARE = 0.08
"""Of odd payments: few enough to be rare, enough for a part of sixty rows to hold some."""


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Make payments; of the odd ones some are far away, some large and at night, some in quick succession.

    Args:
        rows: How many.
        seed: Equal seeds give equal rows.
    """
    chance = np.random.default_rng([0xF4A0D, seed])
    is_odd = chance.random(rows) < SHARE
    kind = chance.integers(0, 3, rows)
    amount = np.exp(chance.normal(3.4, 0.8, rows))
    hour = np.clip(chance.normal(14, 4, rows), 0, 23)
    since = np.exp(chance.normal(6.0, 1.0, rows))
    distance = np.exp(chance.normal(1.2, 0.8, rows))
    far, night, quick = (is_odd & (kind == place) for place in range(3))
    distance[far] *= 150
    amount[far | night] *= 12
    hour[night] = chance.uniform(1, 5, int(night.sum()))
    since[quick] = chance.uniform(0.2, 2, int(quick.sum()))
    distance[quick] *= 20
    channel = chance.choice(_CHANNELS, rows, p=[0.6, 0.2, 0.1, 0.1])
    numbers = {
        "amount": amount.round(2),
        "hour": hour.round(1),
        "minutes_since_last": since.round(1),
        "distance_km": distance.round(1),
    }
    raw = RawTable(
        {
            **{name: values.astype(object) for name, values in numbers.items()},
            "channel": channel.astype(object),
            "is_fraud": object_array(["yes" if odd else "no" for odd in is_odd]),
        },
        np.arange(1, rows + 1, dtype=np.int64),
        facts={"made": f"generated with seed {seed}, not real payments"},
    )
    return build_dataset(raw, "payments-sample", target="is_fraud", kinds=_KINDS, is_sample=True)


OFFER = Offer(
    tasks=("anomaly-detection",),
    form="table",
    recipes=(
        RecipeChoice("isolation-forest", "seconds; learns from the rows alone, the target only judges it"),
    ),
    starter_recipe="isolation-forest",
    columns={
        "amount, hour, ...": "numbers and categories of one payment, beside what is usual for its account",
        "is_fraud": "what is known of some payments; needed to judge alarms and to promise their rate",
    },
    sample=sample,
    sample_name="payments-sample",
    example={
        "amount": 180.0,
        "hour": 8.5,
        "minutes_since_last": 400.0,
        "distance_km": 3.0,
        "channel": "transfer",
    },
)
