"""The limits of one key as this process keeps them: taken together or not at all."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from servery.gateway.meter import Meter, duration
from servery.gateway.quota import Quota
from servery.gateway.rate import Rate
from servery.gateway.rate_board import RateBoard
from servery.registry.keys import KeyRecord
from servery.registry.limits import REQUESTS, Limit, parsed
from servery.registry.window import window_at

Holds = tuple[tuple[Meter, bool], ...]
"""The meters that a request passes; True for those that count its units, False for those that count it as one."""


class Account:
    """One key's rates and quotas, from one change of its limits or end of a window to the next.

    Args:
        key: Whose.
        board: Where rates are.
        note: Called with a quota that has something to claim.
        clock: The time in seconds since 1970.
        before: The account until now, whose meters go on where they are the same.
    """

    def __init__(
        self,
        key: KeyRecord,
        board: RateBoard,
        note: Callable[[Quota], None],
        clock: Callable[[], float],
        before: Account | None = None,
    ) -> None:
        self.limits: Mapping[str, Any] = key.limits
        self._begins_at, self._ends_at = -math.inf, math.inf
        self._rates: dict[str, Rate] = {}
        self._quotas: dict[str, Quota] = {}
        self._holds: dict[str, Holds] = {}
        now = clock()
        for limit in parsed(key.limits):
            if limit.period == "minute":
                self._rates[limit.name] = _rate(key.id, limit, board, before)
            else:
                quota = _quota(key.id, limit, note, clock, now, before)
                self._quotas[limit.name] = quota
                self._begins_at = max(self._begins_at, quota.window.begins_at)
                self._ends_at = min(self._ends_at, quota.window.ends_at)
        if before is not None:
            before._retire(self._quotas)

    def is_current(self, limits: Mapping[str, Any], now: float) -> bool:
        """Return whether it has these limits, and its windows hold this moment."""
        is_same = self.limits is limits or self.limits == limits
        return is_same and self._begins_at <= now < self._ends_at

    def holds(self, unit: str) -> Holds:
        """Return the meters of a request that counts a unit; the quotas first, since only rates are looked up."""
        found = self._holds.get(unit)
        if found is None:
            meters: list[Meter] = [*self._quotas.values(), *self._rates.values()]
            found = tuple(
                (meter, meter.limit.unit != REQUESTS)
                for meter in meters
                if meter.limit.unit in (REQUESTS, unit)
            )
            self._holds[unit] = found
        return found

    def _retire(self, kept: Mapping[str, Quota]) -> None:
        for name, quota in self._quotas.items():
            # Blocks of a limit that is gone are not returned: its rows begin anew when it comes back.
            if name in kept and kept[name] is not quota:
                quota.retire()


def take(holds: Holds, units: int) -> list[tuple[Meter, int]]:
    """Take from every meter; where some have not enough return those and the amounts, with nothing taken."""
    lacking: list[tuple[Meter, int]] = []
    for meter, counts_units in holds:
        amount = units if counts_units else 1
        if not meter.take(amount):
            lacking.append((meter, amount))
    if lacking:
        short = [meter for meter, _ in lacking]
        give_back(tuple(hold for hold in holds if hold[0] not in short), units)
    return lacking


def give_back(holds: Holds, units: int) -> None:
    """Give everything back."""
    for meter, counts_units in holds:
        meter.give(units if counts_units else 1)


def headers(holds: Holds) -> list[tuple[bytes, bytes]]:
    """Return `x-ratelimit-limit-*`, `-remaining-*` and `-reset-*`; of several limits the one that ends first.

    Source: the names and the form of durations are those of OpenAI's API.
    """
    nearest: dict[str, tuple[int, Meter]] = {}
    for meter, _ in holds:
        left = meter.remaining()
        unit = meter.limit.unit
        if unit not in nearest or left < nearest[unit][0]:
            nearest[unit] = left, meter
    found = []
    for unit, (left, meter) in nearest.items():
        name = unit.replace("_", "-").encode()
        found.append((b"x-ratelimit-limit-" + name, b"%d" % meter.limit.size))
        found.append((b"x-ratelimit-remaining-" + name, b"%d" % left))
        seconds = meter.reset_seconds()
        if seconds < math.inf:
            found.append((b"x-ratelimit-reset-" + name, duration(max(0.0, seconds)).encode()))
    return found


def _rate(key_id: str, limit: Limit, board: RateBoard, before: Account | None) -> Rate:
    old = None if before is None else before._rates.get(limit.name)
    return old if old is not None and old.limit == limit else Rate(key_id, limit, board)


def _quota(
    key_id: str,
    limit: Limit,
    note: Callable[[Quota], None],
    clock: Callable[[], float],
    now: float,
    before: Account | None,
) -> Quota:
    old = None if before is None else before._quotas.get(limit.name)
    if old is not None and old.window.holds(now):
        old.limit = limit
        return old
    return Quota(key_id, limit, window_at(limit.period, now), note, clock)
