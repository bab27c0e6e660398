"""A quota a day, a month or altogether: this process spends only what was booked in the database before."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime

from servery.errors import QuotaError
from servery.gateway.meter import NEVER_SECONDS, too_large
from servery.registry.limits import Limit
from servery.registry.quotas import Claim, Grant
from servery.registry.window import Window

BLOCK_SECONDS = 1.0
"""A block is what was spent in about so long: a process that is killed loses its key no more than that."""
HELD_SECONDS = 0.5
"""How long what was booked stays here at least: requests wait for it, some of them for other quotas too."""
REFUSED_SECONDS = 0.5
"""How long a quota that had nothing left is not looked at again, unless something comes back here."""


class Quota:
    """The block that this process holds of one quota of one key in one window.

    `take` spends from the block without a look at the database; `claim` says what to book or to return in the next
    write, and `accept` takes what that write gave.

    Args:
        key_id: Whose.
        limit: The quota.
        window: When it is counted.
        note: Called when there is something to claim.
        clock: The time in seconds since 1970.
    """

    __slots__ = (
        "_booked",
        "_claimed_at",
        "_clock",
        "_granted_at",
        "_is_noted",
        "_is_retired",
        "_left",
        "_needed",
        "_note",
        "_refused_at",
        "_speed",
        "_spent",
        "_spent_at",
        "key_id",
        "limit",
        "window",
    )

    def __init__(
        self,
        key_id: str,
        limit: Limit,
        window: Window,
        note: Callable[[Quota], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.key_id = key_id
        self.limit = limit
        self.window = window
        self._is_retired = False
        self._note = note
        self._clock = clock
        self._is_noted = False
        self._left = 0
        self._booked = 0
        self._needed = 0
        self._spent = 0
        self._spent_at = -math.inf
        self._speed = 0.0
        self._claimed_at = -math.inf
        self._granted_at = -math.inf
        self._refused_at = -math.inf

    def take(self, amount: int) -> bool:
        """Take an amount from the block, or nothing."""
        if self._left < amount:
            return False
        self._left -= amount
        self._spent += amount
        if not self._is_noted:
            self._tell()
        return True

    def give(self, amount: int) -> None:
        """Put into the block what was not used."""
        self._left += amount
        self._spent -= amount
        if not self._is_noted:
            self._tell()

    def can_grow(self, amount: int) -> bool:
        """Return whether the next write may make the block as large as this amount."""
        free = self.limit.size - self._booked
        return amount <= self._left + free or time.monotonic() - self._refused_at > REFUSED_SECONDS

    def need(self, amount: int) -> None:
        """Ask the next write for an amount."""
        self._needed += amount
        if not self._is_noted:
            self._tell()

    def claim(self) -> Claim | None:
        """Return what the next write shall book or return; None for nothing."""
        now = time.monotonic()
        block = self._block(now)
        is_fresh = now - self._granted_at < HELD_SECONDS and not self._is_retired
        needed = max(0, self._needed - self._left)
        self._is_noted = False
        self._needed = 0
        returned = wanted = 0
        if self._left < 0:
            returned = self._left
        elif not (needed or is_fresh) and self._left > 2 * block:
            returned = self._left - block
        elif self._left < block / 2:
            wanted = block - self._left
        self._left -= returned
        if not (returned or needed or wanted):
            return None
        place = self.key_id, self.limit.name, self.window.start
        return Claim(place, self.limit.unit, self.limit.size, returned, needed, wanted)

    def accept(self, claim: Claim, grant: Grant) -> None:
        """Take what a claim was given."""
        self._left += grant.granted
        self._booked = grant.booked
        now = time.monotonic()
        if grant.granted:
            self._granted_at = now
        self._refused_at = now if grant.granted < claim.needed else -math.inf

    def note_if_held(self) -> None:
        """Ask to be looked at again while there is a block that may have to be returned."""
        if self._left and not self._is_noted:
            self._tell()

    def retire(self) -> None:
        """Take no more for requests to come, and return what is left."""
        self._is_retired = True
        self.note_if_held()

    def remaining(self) -> int:
        """Return what is left in the block, and of the quota as of the last write."""
        return max(0, self._left + self.limit.size - self._booked)

    def reset_seconds(self) -> float:
        """Return when the window ends."""
        return self.window.ends_at - self._clock()

    def refusal(self, key: str, amount: int) -> QuotaError:
        """Return the error that says when the next window begins."""
        if amount > self.limit.size:
            return too_large(self.limit, key, amount, QuotaError)
        seconds = self.reset_seconds()
        if seconds == math.inf:
            when, seconds = "; a limit altogether does not free again", NEVER_SECONDS
            hint = "Ask the operator to raise it: servery keys limit NAME --" + self.limit.name.replace(
                "_", "-"
            )
        else:
            moment = datetime.fromtimestamp(self.window.ends_at, UTC)
            when, hint = f" until {moment:%Y-%m-%dT%H:%M:%SZ}", "Wait for Retry-After, or use another key."
        refused = QuotaError(
            f"The key {key!r} may use {self.limit.words}, of which {self.remaining()} are left; "
            f"this request needs {amount}{when}.",
            hint=hint,
            param=self.limit.name,
        )
        refused.retry_after_seconds = max(1, math.ceil(seconds))
        return refused

    def _block(self, now: float) -> int:
        """Return how much to hold: what was spent of late, in a sum that forgets over `BLOCK_SECONDS`."""
        self._speed = self._speed * math.exp((self._claimed_at - now) / BLOCK_SECONDS) + self._spent
        self._claimed_at = now
        if self._spent:
            self._spent_at, self._spent = now, 0
        is_idle = now - self._spent_at > BLOCK_SECONDS
        return 0 if is_idle or self._is_retired else round(self._speed)

    def _tell(self) -> None:
        self._is_noted = True
        self._note(self)
