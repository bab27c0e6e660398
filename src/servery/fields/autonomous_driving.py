"""Autonomous driving: where everybody around will be, where the wheel will stand in a moment, what to do next."""

from __future__ import annotations

from servery.fields._field import Field
from servery.fields.offers.autonomous_driving_decisions import OFFER as DECISIONS
from servery.fields.offers.autonomous_driving_steering import OFFER as STEERING
from servery.fields.offers.autonomous_driving_trajectories import OFFER as TRAJECTORIES

FIELD = Field(
    name="autonomous-driving",
    title={"en": "Autonomous driving", "zh": "自动驾驶"},
    summary={
        "en": "Predicts where people and cars will be in the next seconds and where a driver's wheel will stand, and "
        "decides what a car on a motorway does next.",
        "zh": "预测行人和车辆在接下来几秒内的位置以及驾驶员方向盘的角度，并决定高速公路上车辆的下一步动作。",
    },
    offers=(TRAJECTORIES, STEERING, DECISIONS),
    limits_of_use=(
        "For research and teaching. Nothing here may steer, brake or warn in a vehicle on a road: the models were "
        "never tested for that, know none of its rules, and are wrong most often where it matters, when somebody does "
        "something unusual."
    ),
    notice="Research use only: never let this answer steer, brake or warn in a vehicle on a road.",
)
