"""Drives a model on the motorway of highway-env over unseen seeds: what comes of its decisions, not how they look."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from servery.data.highway import Highway
from servery.data.traffic import ACTIONS, IDLE
from servery.metrics.resampling import wilson
from servery.models.predictor import Predictor

FIRST_SEED = 10_000
"""Seeds from here on are never learned from."""
BOTH_SIDES = 1.96
"""Standard errors that hold 95 % of means."""

Decide = Callable[[Mapping[str, Any]], str]
Frame = list[tuple[float, float, bool]]


@dataclass(frozen=True)
class Drives:
    """What one driver's drives came to.

    Attributes:
        returns: Sum of the rewards of each drive, at most 30, float64, (drives,).
        crashed: Which ended in a collision, bool, (drives,).
        steps: Decisions of each, int64, (drives,).
        frames: Of the first drive, where the vehicles were at each decision.
    """

    returns: np.ndarray
    crashed: np.ndarray
    steps: np.ndarray
    frames: tuple[Frame, ...]

    @property
    def mean_return(self) -> tuple[float, float, float]:
        """The mean return, and the ends of its 95 % interval by the normal approximation."""
        mean = float(self.returns.mean())
        error = (
            float(self.returns.std(ddof=1)) / math.sqrt(len(self.returns)) if len(self.returns) > 1 else 0.0
        )
        return mean, mean - BOTH_SIDES * error, mean + BOTH_SIDES * error

    @property
    def crash_rate(self) -> tuple[float, float, float]:
        """The share of drives with a collision, and the ends of its 95 % interval (Wilson 1927)."""
        share = float(self.crashed.mean())
        interval = wilson(share, len(self.crashed))
        return share, interval.low, interval.high


def drive(road: Highway, decide: Decide, seeds: Iterable[int]) -> Drives:
    """Drive every seed to its end.

    Args:
        road: Where to.
        decide: From a row of `data.traffic.COLUMNS` to an action.
        seeds: One a drive.
    """
    returns, crashed, steps = [], [], []
    frames: list[Frame] = []
    for number, seed in enumerate(seeds):
        row, total, count = road.start(seed), 0.0, 0
        while True:
            if not number:
                frames.append(road.vehicles())
            led_to = road.step(decide(row))
            row, total, count = led_to.row, total + led_to.reward, count + 1
            if led_to.is_over:
                break
        if not number:
            frames.append(road.vehicles())
        returns.append(total)
        crashed.append(led_to.is_crashed)
        steps.append(count)
    return Drives(np.array(returns), np.array(crashed), np.array(steps), tuple(frames))


def by_model(predictor: Predictor, has_shield: bool = True) -> Decide:
    """Return what a model of the task driving-decision does, with or without the shield."""
    return lambda row: str(getattr(predictor.predict([row])[0], "action" if has_shield else "label"))


def by_chance(seed: int = 0) -> Decide:
    """Return a driver that does anything."""
    chance = np.random.default_rng(seed)
    return lambda row: str(chance.choice(ACTIONS))


def by_idling() -> Decide:
    """Return a driver that does nothing."""
    return lambda row: IDLE
