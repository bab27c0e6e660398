"""Moments as they are stored: UTC, ISO 8601, always the same width, so that text order is time order."""

from __future__ import annotations

from datetime import UTC, datetime

from servery.errors import InputError


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
