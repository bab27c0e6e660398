"""How much memory loaded versions may take."""

from __future__ import annotations

from servery.models.memory_estimate import machine_memory_bytes
from servery.settings import Settings

MB = 2**20


def memory_limit_bytes(settings: Settings) -> int:
    """Return how much the loaded versions of one worker may hold; 0 is no bound.

    >>> memory_limit_bytes(Settings(model_memory_mb=300, workers=3)) // MB
    100
    """
    wanted = settings.model_memory_mb
    total = machine_memory_bytes() // 2 if wanted < 0 else wanted * MB
    return total // settings.workers
