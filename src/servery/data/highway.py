"""The motorway of highway-env, as rows of `data.traffic` that come one after the other; an optional part."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from servery.data.traffic import ACTIONS, COLUMNS, EGO, OTHER, OTHERS
from servery.errors import MissingExtraError

ROAD = "highway-fast-v0"
_RANGES = np.array([200.0, 12.0, 80.0, 80.0])
"""What 1 stands for in its observations: metres ahead and aside, metres a second."""


@dataclass(frozen=True)
class Step:
    """What one decision led to.

    Attributes:
        row: The next moment.
        reward: Between 0 and 1: speed and the right lane pay, a collision is 0 (Leurent 2018).
        is_over: Whether the drive ends: after 30 decisions or a collision.
        is_crashed: Whether by a collision.
    """

    row: dict[str, Any]
    reward: float
    is_over: bool
    is_crashed: bool


class Highway:
    """Three lanes, twenty other drivers that brake and change lanes by rules of their own, a decision a second.

    Source: Leurent (2018), An environment for autonomous driving decision-making, `highway-fast-v0`.

    Raises:
        MissingExtraError: highway-env is not installed.
    """

    def __init__(self) -> None:
        try:
            with _quiet():
                gymnasium = import_module("gymnasium")
                gymnasium.register_envs(import_module("highway_env"))
                self._road = gymnasium.make(ROAD, disable_env_checker=True)
        except ImportError as error:
            raise MissingExtraError.named("driving") from error

    def start(self, seed: int) -> dict[str, Any]:
        """Return the first moment of a drive; equal seeds give equal drives."""
        with _quiet():
            seen, _ = self._road.reset(seed=seed)
        return row_of(seen)

    def step(self, action: str) -> Step:
        """Do something for a second."""
        with _quiet():
            seen, reward, is_crashed, is_late, _ = self._road.step(ACTIONS.index(action))
        return Step(row_of(seen), float(reward), bool(is_crashed or is_late), bool(is_crashed))

    def vehicles(self) -> list[tuple[float, float, bool]]:
        """Return how far ahead of the own car each vehicle is, its place across the road, metres, and whether own."""
        own = self._road.unwrapped.vehicle
        return [
            (float(v.position[0] - own.position[0]), float(v.position[1]), v is own)
            for v in self._road.unwrapped.road.vehicles
        ]


def row_of(seen: np.ndarray) -> dict[str, Any]:
    """Return an observation as a row of `COLUMNS`.

    Args:
        seen: (vehicles, 5): presence, x, y, speed ahead and aside in shares of `_RANGES`; the own car is the first.
    """
    metres = np.asarray(seen, np.float64)[:, 1:] * _RANGES
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= dict(zip(EGO, metres[0, 1:].round(3).tolist(), strict=True))
    for place in range(1, min(OTHERS + 1, len(metres))):
        if seen[place, 0] > 0.5:
            names = [f"{name}_{place}" for name in OTHER]
            row |= dict(zip(names, metres[place].round(3).tolist(), strict=True))
    return row


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what the simulator's own libraries warn of from the user, who cannot change it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
