"""A rate a minute: tokens come from a bucket that all processes share, a few at a time."""

from __future__ import annotations

import math
import time

from servery.errors import QuotaError, RateLimitError
from servery.gateway.meter import NEVER_SECONDS, duration, too_large
from servery.gateway.rate_board import PERIOD_SECONDS, RateBoard, name_of
from servery.registry.limits import Limit

HAND_SECONDS = 0.02
"""How much of a fast rate one process takes at once, so that most requests cost no look at the board. It is also
what each process may let through beyond the bucket: a third of a thousandth of the rate."""


class Rate:
    """One rate of one key: a bucket that holds a minute's worth and fills evenly.

    A process takes tokens from the shared bucket before it spends them, so that all processes together never let
    more through than one bucket would.

    Args:
        key_id: Whose.
        limit: The rate.
        board: The buckets.

    Source: the token bucket of Turner (1986), "New directions in communications (or which way to the information
    age?)", IEEE Communications Magazine 24(10).
    """

    __slots__ = ("_block", "_board", "_free", "_hand", "_name", "_seen_at", "limit")

    def __init__(self, key_id: str, limit: Limit, board: RateBoard) -> None:
        self.limit = limit
        self._board = board
        self._name = name_of(key_id, limit.name)
        self._block = limit.size / PERIOD_SECONDS * HAND_SECONDS
        self._hand = 0.0
        self._free = float(limit.size)
        self._seen_at = -math.inf

    def take(self, amount: int) -> bool:
        """Take tokens from what this process holds, or else from the bucket."""
        if self._hand >= amount:
            self._hand -= amount
            return True
        needed = amount - self._hand
        taken, self._free = self._board.take(self._name, self.limit.size, needed, needed + self._block)
        self._seen_at = time.monotonic()
        if taken:
            self._hand = taken - needed
        return taken > 0

    def give(self, amount: int) -> None:
        """Keep a few tokens, and put the rest back into the bucket."""
        self._hand += amount
        if not 0 <= self._hand <= 2 * self._block:
            self._free = self._board.give(self._name, self.limit.size, self._hand)
            self._seen_at = time.monotonic()
            self._hand = 0.0

    def remaining(self) -> int:
        """Return the tokens left, as of this process's last look at the bucket and the time since."""
        return max(0, math.floor(self._left()))

    def reset_seconds(self) -> float:
        """Return when the bucket will be full."""
        return (self.limit.size - self._left()) * self._seconds_each

    def refusal(self, key: str, amount: int) -> QuotaError:
        """Return the error that says when the bucket will hold enough."""
        if amount > self.limit.size:
            return too_large(self.limit, key, amount, RateLimitError)
        seconds = max(0.0, amount - self._left()) * self._seconds_each
        refused = RateLimitError(
            f"The key {key!r} may use {self.limit.words}; the {amount} of this request will be free in "
            f"{duration(seconds)}.",
            hint="Wait for Retry-After, or send fewer at a time.",
            param=self.limit.name,
        )
        refused.retry_after_seconds = max(1, math.ceil(seconds))
        return refused

    @property
    def _seconds_each(self) -> float:
        return PERIOD_SECONDS / self.limit.size if self.limit.size else NEVER_SECONDS

    def _left(self) -> float:
        filled = (
            (time.monotonic() - self._seen_at) * self.limit.size / PERIOD_SECONDS if self.limit.size else 0.0
        )
        return min(float(self.limit.size), self._free + filled) + self._hand
