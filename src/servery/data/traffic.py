"""Moments on a motorway as rows of a table, and when constant velocities end in a collision."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

ACTIONS = ("LANE_LEFT", "IDLE", "LANE_RIGHT", "FASTER", "SLOWER")
"""What a driver may decide once a second, in the order of highway-env (Leurent 2018)."""
IDLE, SLOWER = "IDLE", "SLOWER"
LANES = 3
LANE_METRES = 4.0
SPEEDS_MS = (20.0, 25.0, 30.0)
"""What FASTER and SLOWER choose among, metres a second."""
OTHERS = 4
"""Vehicles that are told, the nearest first; those behind are not seen."""
EGO = ("y_m", "speed_ms", "sideways_ms")
OTHER = ("ahead_m", "beside_m", "closing_ms", "crossing_ms")
COLUMNS = (*EGO, *(f"{name}_{place}" for place in range(1, OTHERS + 1) for name in OTHER))
"""Of a row: the own place across the road (0 on the left lane, 4 a lane), speed and drift to the right; of each other
vehicle how far ahead and to the right it is, and how much faster, and faster to the right. All empty: nobody."""

LENGTH_METRES, WIDTH_METRES = 5.0, 2.0
MARGIN_METRES, MARGIN_ASIDE_METRES = 5.0, 0.6
HORIZON_SECONDS, STEP_SECONDS = 5.0, 0.2
LANE_CHANGE_SECONDS = 1.2
"""In which a vehicle has come over most of the way to the next lane."""
SPEED_UP_SECONDS = 0.8
"""In which a speed has come nearer to what was chosen by a factor e."""
LEAST_SECONDS = 5.0
"""An action that ends sooner than this is refused."""
_TIMES = np.arange(STEP_SECONDS, HORIZON_SECONDS + STEP_SECONDS / 2, STEP_SECONDS)


@dataclass(frozen=True)
class Outlook:
    """What becomes of one action if everybody else goes on as now.

    Attributes:
        seconds: Until a collision or the edge of the road; infinity where none comes within `HORIZON_SECONDS`.
        speed_ms: The speed that it leads to.
        lane: The lane that it leads to.
    """

    seconds: float
    speed_ms: float
    lane: int

    @property
    def is_safe(self) -> bool:
        """Whether nothing comes of it for `LEAST_SECONDS`."""
        return self.seconds > LEAST_SECONDS


def outlooks(row: Mapping[str, Any]) -> dict[str, Outlook]:
    """Return what becomes of each action.

    Everybody else goes on straight at its speed; the own car comes over to its lane and to its speed at first quickly,
    then slower. A lane beside the road, and a speed beyond the slowest or the fastest, is where it was.

    Args:
        row: `COLUMNS` to numbers; None or NaN for what is not known.

    >>> row = dict.fromkeys(COLUMNS) | {"y_m": 4.0, "speed_ms": 25.0, "sideways_ms": 0.0}
    >>> all(outlook.is_safe for outlook in outlooks(row).values())
    True
    >>> near = row | {"ahead_m_1": 20.0, "beside_m_1": 0.0, "closing_ms_1": -6.0, "crossing_ms_1": 0.0}
    >>> [action for action, outlook in outlooks(near).items() if not outlook.is_safe]
    ['IDLE', 'FASTER']
    """
    y, speed, _ = (_number(row.get(name), 0.0) for name in EGO)
    others = _others(row)
    lane = int(np.clip(round(y / LANE_METRES), 0, LANES - 1))
    gear = int(np.abs(np.array(SPEEDS_MS) - speed).argmin())
    found = {}
    for action in ACTIONS:
        wanted_lane = int(np.clip(lane + _sideways(action), 0, LANES - 1))
        wanted_ms = SPEEDS_MS[int(np.clip(gear + _faster(action), 0, len(SPEEDS_MS) - 1))]
        seconds = _until_collision(y, speed, wanted_lane * LANE_METRES, wanted_ms, others)
        found[action] = Outlook(seconds, wanted_ms, wanted_lane)
    return found


def rule_action(row: Mapping[str, Any]) -> str:
    """Return what a careful driver does: of the safe actions the fastest, of these the farthest to the right.

    Where none is safe, the one that stays out of a collision the longest.
    """
    found = outlooks(row)
    safe = [action for action, outlook in found.items() if outlook.is_safe]
    if not safe:
        return max(found, key=lambda action: (found[action].seconds, action == SLOWER))
    return max(safe, key=lambda action: (_worth(found[action]), action == IDLE))


def _worth(outlook: Outlook) -> float:
    # As highway-env pays: 0.4 for the highest speed, 0.1 for the lane on the right.
    fast = (outlook.speed_ms - SPEEDS_MS[0]) / (SPEEDS_MS[-1] - SPEEDS_MS[0])
    return 0.4 * fast + 0.1 * outlook.lane / (LANES - 1)


def _sideways(action: str) -> int:
    return {"LANE_LEFT": -1, "LANE_RIGHT": 1}.get(action, 0)


def _faster(action: str) -> int:
    return {"FASTER": 1, "SLOWER": -1}.get(action, 0)


def _others(row: Mapping[str, Any]) -> np.ndarray:
    """Return the other vehicles, (vehicles, 4): ahead, beside, closing, crossing."""
    rows = [[row.get(f"{name}_{place}") for name in OTHER] for place in range(1, OTHERS + 1)]
    known = [[_number(value, math.nan) for value in values] for values in rows]
    found = np.array(known, np.float64)
    found[:, 2:] = np.nan_to_num(found[:, 2:])
    return np.asarray(found[np.isfinite(found).all(axis=1)])


def _until_collision(y: float, speed: float, wanted_y: float, wanted_ms: float, others: np.ndarray) -> float:
    """Return seconds until another vehicle is touched; infinity where none is within the horizon."""
    if not len(others):
        return math.inf
    came = 1 - np.exp(-_TIMES / SPEED_UP_SECONDS)
    # What the own car gains on its present speed, metres.
    gained = (wanted_ms - speed) * (_TIMES - SPEED_UP_SECONDS * came)
    aside = (wanted_y - y) * np.minimum(_TIMES / LANE_CHANGE_SECONDS, 1.0)
    ahead = others[:, 0, None] + others[:, 2, None] * _TIMES - gained  # (vehicles, times)
    beside = others[:, 1, None] + others[:, 3, None] * _TIMES - aside
    is_near = np.abs(ahead) < LENGTH_METRES + MARGIN_METRES
    is_beside = np.abs(beside) < WIDTH_METRES + MARGIN_ASIDE_METRES
    touched = (is_near & is_beside).any(axis=0)
    return float(_TIMES[touched.argmax()]) if touched.any() else math.inf


def _number(value: Any, otherwise: float) -> float:
    return otherwise if value is None or not math.isfinite(value) else float(value)
