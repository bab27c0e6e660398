"""How long one forward pass takes."""

from __future__ import annotations

import time

from servery.models.encoder import Batch
from servery.models.runtime import Runtime

REPETITIONS = 30
WARM_UP = 5
MOST_SECONDS = 1.0


def latency_ms(runtime: Runtime, batch: Batch) -> float:
    """Return the shortest of some runs, in milliseconds: the others shared the machine with somebody.

    Args:
        runtime: Loaded weights.
        batch: What it computes.
    """
    for _ in range(WARM_UP):
        runtime.run(batch)
    shortest, deadline = float("inf"), time.perf_counter() + MOST_SECONDS
    for _ in range(REPETITIONS):
        started = time.perf_counter()
        runtime.run(batch)
        ended = time.perf_counter()
        shortest = min(shortest, ended - started)
        if ended > deadline:
            break
    return shortest * 1000
