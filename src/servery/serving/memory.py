"""How much memory loaded versions may take."""

from __future__ import annotations

import os
from pathlib import Path

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


def machine_memory_bytes() -> int:
    """Return the memory of this machine, or of the container it runs in; 0 where nobody tells."""
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return 0
    for name in ("memory.max", "memory/memory.limit_in_bytes"):  # control groups, version 2 and 1
        limit = Path("/sys/fs/cgroup", name)
        if limit.exists() and (text := limit.read_text().strip()).isdigit():
            total = min(total, int(text))
    return total
