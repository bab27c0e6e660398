"""The offer of driving decisions: its sample is what a careful rule did on a small motorway of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from servery.data.building import build_dataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable, object_array
from servery.data.traffic import (
    ACTIONS,
    COLUMNS,
    EGO,
    LANE_METRES,
    LANES,
    OTHER,
    OTHERS,
    SPEEDS_MS,
    outlooks,
    rule_action,
)
from servery.fields._field import Offer, RecipeChoice

ACTION, DRIVE = "action", "drive"
MOMENTS = 30
"""Seconds of a drive, a decision each."""
STRAY_SHARE = 0.25
"""Of the moments after which something else was done than the rule says: demonstrations that never go wrong teach
nothing about how to come back (Ross and Bagnell 2010)."""
VEHICLES = 12
BEHIND_METRES, NEARLY_PAST_METRES = 10.0, 80.0
_KINDS = {**dict.fromkeys(COLUMNS, "number"), DRIVE: "identifier", ACTION: "category"}
_ROLES = {DRIVE: "group"}


def sample(rows: int = 600, seed: int = 0) -> Dataset:
    """Make moments of drives on three lanes, and what a careful rule decides in each.

    Everybody else keeps lane and speed, or brakes behind a slower one; the rule is `data.traffic.rule_action`. No
    simulator is needed, and none of the vehicles of highway-env is met.

    Args:
        rows: How many moments.
        seed: Equal seeds give equal moments.
    """
    chance = np.random.default_rng([seed, 53])
    columns: dict[str, list[Any]] = {name: [] for name in (*COLUMNS, DRIVE, ACTION)}
    drive = 0
    while len(columns[ACTION]) < rows:
        drive += 1
        for moment in _drive(chance):
            for name, value in {**moment, DRIVE: f"d{drive}"}.items():
                columns[name].append(value)
    raw = RawTable(
        {name: object_array(values[:rows]) for name, values in columns.items()},
        np.arange(1, rows + 1, dtype=np.int64),
        facts={"made": f"a rule on a road made with seed {seed}, no real drive"},
    )
    return build_dataset(raw, "driving-sample", target=ACTION, kinds=_KINDS, roles=_ROLES, is_sample=True)


def _drive(chance: np.random.Generator) -> list[dict[str, Any]]:
    """Return the moments of one drive with their actions; after a collision it goes on among other vehicles."""
    lane, speed, (x, lanes, speeds) = (
        int(chance.integers(LANES)),
        float(chance.choice(SPEEDS_MS)),
        _others(chance),
    )
    moments: list[dict[str, Any]] = []
    for _ in range(MOMENTS):
        row = _seen(lane, speed, x, lanes, speeds, chance)
        action = rule_action(row)
        moments.append({**row, ACTION: action})
        done = str(chance.choice(ACTIONS)) if chance.random() < STRAY_SHARE else action
        outlook = outlooks(row)[done]
        if outlook.seconds <= 1.0 or x.max() < NEARLY_PAST_METRES:
            x, lanes, speeds = _others(chance)
            continue
        x = x + speeds - (speed + outlook.speed_ms) / 2  # a second goes by; the own car stays at 0
        lane, speed = outlook.lane, outlook.speed_ms
        speeds = _braking(x, lanes, speeds)
    return moments


def _others(chance: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how far ahead other vehicles are, their lanes and speeds, each (vehicles,)."""
    x = 5.0 + np.cumsum(chance.uniform(8.0, 34.0, VEHICLES))
    return x, chance.integers(LANES, size=VEHICLES), chance.uniform(17.0, 26.0, VEHICLES)


def _seen(
    lane: int,
    speed: float,
    x: np.ndarray,
    lanes: np.ndarray,
    speeds: np.ndarray,
    chance: np.random.Generator,
) -> dict[str, Any]:
    """Return the row of a moment: the nearest vehicles that are not far behind, what is measured a little unsure."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    drift = float(chance.normal(0, 0.15))
    row |= dict(
        zip(EGO, (lane * LANE_METRES + drift, speed + float(chance.normal(0, 0.4)), drift), strict=True)
    )
    known = np.flatnonzero(x > -BEHIND_METRES)
    nearest = known[np.argsort(np.abs(x[known]), kind="stable")][:OTHERS]
    for place, number in enumerate(nearest.tolist(), start=1):
        beside = (lanes[number] - lane) * LANE_METRES + float(chance.normal(0, 0.15))
        told = (
            float(x[number]),
            beside,
            float(speeds[number] - row["speed_ms"]),
            float(chance.normal(0, 0.1)),
        )
        row |= {f"{name}_{place}": value for name, value in zip(OTHER, told, strict=True)}
    return {name: None if value is None else round(value, 2) for name, value in row.items()}


def _braking(x: np.ndarray, lanes: np.ndarray, speeds: np.ndarray) -> np.ndarray:
    """Return the speeds of vehicles that do not run into the one ahead of them."""
    slowed = speeds.copy()
    for number in range(len(x)):
        ahead = (lanes == lanes[number]) & (x > x[number]) & (x < x[number] + 15.0)
        if ahead.any():
            slowed[number] = min(slowed[number], float(speeds[ahead].min()))
    return slowed


OFFER = Offer(
    tasks=("driving-decision",),
    form="table",
    recipes=(
        RecipeChoice("behaviour-cloning", "a minute; does what the demonstrations did"),
        RecipeChoice("dqn", "about ten minutes; learns by driving in highway-env, needs servery[driving]"),
    ),
    starter_recipe="behaviour-cloning",
    columns={
        "y_m, speed_ms, sideways_ms": "the own place across the road (0 the left lane, 4 a lane), speed and drift",
        "ahead_m_1, beside_m_1, closing_ms_1, crossing_ms_1, ...": "four other vehicles, the nearest first, seen from "
        "the own car; empty where there is none",
        "action": f"what the driver did: {', '.join(ACTIONS)}",
        "drive": "which drive a moment belongs to, so that no drive is on both sides of a split",
    },
    target=ACTION,
    kinds=_KINDS,
    roles=_ROLES,
    sample=sample,
    sample_name="driving-sample",
    example={
        "y_m": 4.1,
        "speed_ms": 25.0,
        "sideways_ms": 0.0,
        **dict(zip([f"{name}_1" for name in OTHER], (28.0, -0.1, -5.0, 0.0), strict=True)),
        **dict(zip([f"{name}_2" for name in OTHER], (35.0, 4.0, -2.0, 0.0), strict=True)),
        **{f"{name}_{place}": None for place in (3, 4) for name in OTHER},
    },
)
