"""Smart home: who is there, from what the sensors of a room read, and what a typed command asks for."""

from __future__ import annotations

from servery.fields._field import Field
from servery.fields.offers.smart_home_anomaly import OFFER as ANOMALY
from servery.fields.offers.smart_home_commands import OFFER as COMMANDS
from servery.fields.offers.smart_home_occupancy import OFFER as OCCUPANCY

FIELD = Field(
    name="smart-home",
    title={"en": "Smart home", "zh": "智能家居"},
    summary={
        "en": "Says whether somebody is in a room, from what its sensors read, and what a typed command asks for.",
        "zh": "根据传感器读数判断房间里是否有人，并理解中英文家居指令。",
    },
    offers=(OCCUPANCY, COMMANDS, ANOMALY),
    limits_of_use=(
        "For comfort and energy, not for safety: no alarm, lock or heater that somebody needs may depend on it alone. "
        "Readings tell when people are at home: ask them, and keep the readings in the house. A command that the model "
        "is unsure of must be asked again: every sentence gets an intent, also one that asks for nothing."
    ),
)
