"""Windows of the calendar in UTC, in which quotas and usage are counted: hours, days, months, all time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from servery.storage.clock import utc_text

ALL_TIME = "0001-01-01T00:00:00.000000Z"
"""Start of the window that never ends, as stored text; before every other."""


@dataclass(frozen=True, slots=True)
class Window:
    """From one moment up to, not including, another.

    Attributes:
        start: As stored text.
        begins_at: The same, in seconds since 1970.
        ends_at: Likewise; infinity for all time.
    """

    start: str
    begins_at: float
    ends_at: float

    def holds(self, now: float) -> bool:
        """Return whether a moment lies in it; a clock that was set back may leave it again."""
        return self.begins_at <= now < self.ends_at


def window_at(period: str, now: float) -> Window:
    """Return the window of a period that holds a moment.

    Args:
        period: "hour", "day", "month" or "total".
        now: Seconds since 1970.

    >>> window_at("month", 1_740_787_199.9).start  # the last tenth of a second of February 2025
    '2025-02-01T00:00:00.000000Z'
    """
    if period == "total":
        return Window(ALL_TIME, -math.inf, math.inf)
    hour = datetime.fromtimestamp(now, UTC).replace(minute=0, second=0, microsecond=0)
    day = hour.replace(hour=0)
    month = day.replace(day=1)
    start = {"hour": hour, "day": day, "month": month}[period]
    # 32 days after its first day it is the next month, whatever the month.
    end = {
        "hour": hour + timedelta(hours=1),
        "day": day + timedelta(days=1),
        "month": (month + timedelta(days=32)).replace(day=1),
    }[period]
    return Window(utc_text(start), start.timestamp(), end.timestamp())
