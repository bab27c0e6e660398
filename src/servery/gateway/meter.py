"""What rates and quotas have in common: amounts are taken before the work, and what is not used is given back."""

from __future__ import annotations

import math
from typing import Protocol

from servery.errors import QuotaError
from servery.registry.limits import Limit

NEVER_SECONDS = 86_400
"""When to ask again where waiting does not help: when somebody may have raised the limit."""


class Meter(Protocol):
    """One limit of one key, as this process sees it."""

    limit: Limit

    def take(self, amount: int) -> bool:
        """Take an amount, or nothing; return whether it was taken."""

    def give(self, amount: int) -> None:
        """Give back what was taken and not used; negative for what was used beyond it."""

    def remaining(self) -> int:
        """Return how much is left."""

    def reset_seconds(self) -> float:
        """Return how long it takes until nothing of the limit is used; infinity for never."""

    def refusal(self, key: str, amount: int) -> QuotaError:
        """Return the error that says why an amount cannot be taken, and when it can."""


def too_large(limit: Limit, key: str, amount: int, error: type[QuotaError]) -> QuotaError:
    """Return the error of a request that needs more than the whole limit."""
    unit = limit.unit.replace("_", " ")
    refused = error(
        f"This request needs {amount} {unit}; the key {key!r} may use {limit.words}.",
        hint=f"Send requests of at most {limit.size} {unit}." if limit.size else "Use another key.",
        param=limit.name,
    )
    refused.retry_after_seconds = NEVER_SECONDS
    return refused


def duration(seconds: float) -> str:
    """Return a duration as OpenAI's headers have it.

    >>> duration(0.1234), duration(1.5), duration(360), duration(90061)
    ('124ms', '1.5s', '6m0s', '25h1m1s')
    """
    if seconds < 1:
        return f"{math.ceil(seconds * 1000)}ms"
    if seconds < 60:
        return f"{math.ceil(seconds * 10) / 10:g}s"
    minutes, rest = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s"
