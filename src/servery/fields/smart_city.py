"""Smart city: what will be asked for, and how the air will be."""

from __future__ import annotations

from servery.fields._field import Field
from servery.fields.offers.smart_city_air import OFFER as AIR
from servery.fields.offers.smart_city_anomaly import OFFER as ANOMALY
from servery.fields.offers.smart_city_demand import OFFER as DEMAND

FIELD = Field(
    name="smart-city",
    title={"en": "Smart city", "zh": "智慧城市"},
    summary={
        "en": "Forecasts what a city will need, hour by hour, with intervals that hold what they promise.",
        "zh": "逐小时预测城市需求，并给出可信的区间。",
    },
    offers=(DEMAND, AIR, ANOMALY),
    limits_of_use=(
        "Knows the past only: new lines, strikes, epidemics and changed prices make its forecasts wrong until it has "
        "learned from them. Not for alarms on which health depends without a person who watches."
    ),
)
