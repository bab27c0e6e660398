"""Where a version's forward passes run, how many rows they take and with how many threads; and why."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from servery.serving.measurement import Measurement
from servery.settings import Settings

INLINE_SECONDS = 0.0005
"""A typical batch of up to this runs on the event loop. In benchmarks/serving/placement.py, on two cores mostly taken
by others, the loop answered more than a thread at 0.2 ms in 6 of 8 rounds, fewer at 0.6 ms in 7 of 8; CPU was equal."""
LONGEST_BLOCK_SECONDS = 0.002
"""A batch that should take longer runs in the thread also where others run on the loop: everyone waits meanwhile."""
LEAST_GAIN = 1.05
"""A larger batch must give so many times the rows a second: else it only makes everyone in it wait longer."""
LONGEST_HOLD_SECONDS = 0.003
"""A forward pass that keeps the interpreter's lock for so long stops the event loop from any thread. The interpreter
takes the lock from Python code after 5 ms, so that a whole hold is seen as a little less."""
TYPICAL_ROWS = 16
"""Rows of a batch under load that the choice is made for."""


class Place(StrEnum):
    """On the event loop, in a thread, or in a process of its own."""

    INLINE = "inline"
    THREAD = "thread"
    PROCESS = "process"


@dataclass(frozen=True)
class Placement:
    """The choice for one version on this machine.

    Attributes:
        place: Where it runs.
        reason: One clause for `servery ps`.
        max_batch_rows: Most rows of one forward pass.
        inline_work: Rows times size of the largest batch that runs on the event loop; see `work.size_of`.
    """

    place: Place
    reason: str
    max_batch_rows: int
    inline_work: float = 0.0


def ordered_place(settings: Settings, name: str) -> Place | None:
    """Return where the operator wants a model, or None for where it is best."""
    wanted = settings.placements.get(name, settings.placement)
    return None if wanted == "auto" else Place(wanted)


def choose(measurement: Measurement | None, ordered: Place | None, max_batch_rows: int) -> Placement:
    """Return where a version runs.

    Args:
        measurement: What its example took here; None where it has none.
        ordered: Where the operator wants it.
        max_batch_rows: The operator's bound.
    """
    always = math.inf if ordered is Place.INLINE else 0.0
    if measurement is None or not measurement.seconds:
        why = "ordered" if ordered else "no example to measure with"
        return Placement(ordered or Place.THREAD, why, max_batch_rows, always)
    seconds = measurement.seconds
    rows = _best_rows(seconds)
    typical = max(size for size in seconds if size <= TYPICAL_ROWS)
    took = f"{seconds[typical] * 1000:.2g} ms for {typical} {'row' if typical == 1 else 'rows'}"
    if ordered is not None:
        return Placement(ordered, f"ordered; {took}", rows, always)
    if seconds[typical] <= INLINE_SECONDS and measurement.size:
        work = measurement.size * _most_within(LONGEST_BLOCK_SECONDS, seconds)
        return Placement(Place.INLINE, took, rows, work)
    if measurement.lock_seconds >= LONGEST_HOLD_SECONDS:
        held = f"{took}, holds the interpreter for {measurement.lock_seconds * 1000:.0f} ms"
        return Placement(Place.PROCESS, held, rows)
    return Placement(Place.THREAD, took, rows)


def _best_rows(seconds: dict[int, float]) -> int:
    """Return the largest measured size up to which each step gave more rows a second."""
    sizes = sorted(seconds)
    best = sizes[0]
    for size in sizes[1:]:
        if size / seconds[size] < LEAST_GAIN * best / seconds[best]:
            break
        best = size
    return best


def _most_within(bound: float, seconds: dict[int, float]) -> int:
    """Return how many rows take at most so long, between two measured sizes on the line that joins them."""
    sizes = sorted(seconds)
    below = max((size for size in sizes if seconds[size] <= bound), default=1)
    above = min((size for size in sizes if size > below), default=None)
    if above is None or seconds[above] <= seconds[below]:
        return below
    slope = (seconds[above] - seconds[below]) / (above - below)
    return below + int((bound - seconds[below]) / slope)
