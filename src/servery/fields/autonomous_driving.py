"""Autonomous driving: where everybody around will be, and where the wheel will stand in a moment."""

from __future__ import annotations

from servery.fields._field import Field
from servery.fields.offers.autonomous_driving_steering import OFFER as STEERING
from servery.fields.offers.autonomous_driving_trajectories import OFFER as TRAJECTORIES

FIELD = Field(
    name="autonomous-driving",
    title={"en": "Autonomous driving", "zh": "自动驾驶"},
    summary={
        "en": "Predicts where people and cars will be in the next seconds, and where a driver's wheel will stand.",
        "zh": "预测行人和车辆在接下来几秒内的位置，以及驾驶员方向盘的角度。",
    },
    offers=(TRAJECTORIES, STEERING),
    limits_of_use=(
        "For research and teaching. Nothing here may steer, brake or warn in a vehicle on a road: the models were "
        "never tested for that, know none of its rules, and are wrong most often where it matters, when somebody does "
        "something unusual."
    ),
    notice="Research use only: never let this answer steer, brake or warn in a vehicle on a road.",
)
