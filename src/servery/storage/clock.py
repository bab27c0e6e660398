"""Moments as they are stored: UTC, ISO 8601, always the same width, so that text order is time order."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from servery.errors import InputError

_AGO = re.compile(r"([0-9]{1,9})([smhd])")
_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}


def utc_text(moment: datetime) -> str:
    """Return a moment as stored text.

    Raises:
        InputError: The moment has no time zone.

    >>> utc_text(datetime(2026, 1, 2, tzinfo=UTC))
    '2026-01-02T00:00:00.000000Z'
    """
    if moment.tzinfo is None:
        raise InputError(f"The moment {moment} has no time zone.", hint="Give it one, e.g. UTC.")
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def utc_now() -> str:
    """Return the present moment as stored text."""
    return utc_text(datetime.now(UTC))


def read_moment(text: str) -> str:
    """Return a moment that somebody wrote as stored text; without a time zone it is UTC.

    Args:
        text: A day, a day and time, or how long ago: "2026-01-02", "2026-01-02T03:00:00Z", "90m", "24h", "7d".

    Raises:
        InputError: It cannot be read.

    >>> read_moment("2026-01-02"), read_moment("2026-01-02T03:00+01:00")
    ('2026-01-02T00:00:00.000000Z', '2026-01-02T02:00:00.000000Z')
    """
    ago = _AGO.fullmatch(text)
    try:
        if ago is not None:
            return utc_text(datetime.now(UTC) - int(ago[1]) * _UNITS[ago[2]])
        moment = datetime.fromisoformat(text)
        return utc_text(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError) as error:
        raise InputError(
            f"{text[:50]!r} is no moment.", hint="Write it as 2026-01-02, 2026-01-02T03:00:00Z or 24h (ago)."
        ) from error
