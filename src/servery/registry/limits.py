"""What a key may use: rates a minute, quotas a day, a month or altogether, and its share of a busy server."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from servery.errors import InputError, UnknownNameError

REQUESTS = "requests"
"""What every limit may count; the other units are those of the tasks, e.g. "rows" or "tokens"."""
PERIODS = ("minute", "day", "month", "total")
"""A minute is any minute; days and months are those of the calendar in UTC."""
LARGEST_LIMIT = 10**15
SMALLEST_WEIGHT, LARGEST_WEIGHT = 0.01, 1000.0
MOST_LIMITS = 32

_NAME = re.compile(r"(?P<unit>[a-z][a-z_]{0,31}?)_(?:per_(?P<per>minute|day|month)|(?P<total>total))")

Limits = Mapping[str, int | float]
"""Name to number, e.g. {"rows_per_day": 5000, "weight": 2.0}."""


@dataclass(frozen=True, slots=True)
class Limit:
    """One bound of a key.

    Attributes:
        name: As stored, e.g. "rows_per_minute".
        unit: What it counts.
        period: One of `PERIODS`.
        size: How many of the unit.
    """

    name: str
    unit: str
    period: str
    size: int

    @property
    def words(self) -> str:
        """What it allows, for people.

        >>> parsed({"audio_seconds_per_day": 60})[0].words
        '60 audio seconds a day'
        """
        when = "altogether" if self.period == "total" else f"a {self.period}"
        return f"{self.size} {self.unit.replace('_', ' ')} {when}"


def parsed(limits: Limits) -> list[Limit]:
    """Return the rates and quotas among stored limits, by name.

    >>> [(limit.unit, limit.period, limit.size) for limit in parsed({"tokens_total": 9, "weight": 2.0})]
    [('tokens', 'total', 9)]
    """
    found = []
    for name, size in sorted(limits.items()):
        match = _NAME.fullmatch(name)
        if match is not None:
            found.append(Limit(name, match["unit"], match["per"] or match["total"], int(size)))
    return found


def check_limits(limits: Mapping[str, Any]) -> None:
    """Refuse limits that cannot be: a name that says no unit and period, or a number out of bounds.

    Raises:
        InputError: One cannot be; `param` names it.
    """
    if len(limits) > MOST_LIMITS:
        raise InputError(f"A key has at most {MOST_LIMITS} limits; {len(limits)} came.", param="limits")
    for name, size in limits.items():
        _check_name(name)
        if name == "weight":
            _check_number(name, size, (int, float), SMALLEST_WEIGHT, LARGEST_WEIGHT)
        else:
            _check_number(name, size, (int,), 0, LARGEST_LIMIT)


def check_units(limits: Mapping[str, Any], units: Iterable[str]) -> None:
    """Refuse limits of a unit that nothing counts, which would never bind.

    Raises:
        UnknownNameError: There is one.
    """
    known = {REQUESTS, *units}
    for name in limits:
        match = _NAME.fullmatch(name)
        if match is not None and match["unit"] not in known:
            raise UnknownNameError.among("unit", match["unit"], known)


def changed(limits: Limits, changes: Mapping[str, int | float | None]) -> dict[str, int | float]:
    """Return limits with some set to another number, or removed where the number is None.

    Raises:
        InputError: The outcome cannot be.

    >>> changed({"rows_per_day": 5, "rows_total": 9}, {"rows_per_day": 7, "rows_total": None})
    {'rows_per_day': 7}
    """
    for name in changes:
        _check_name(name)
    outcome = {name: size for name, size in {**limits, **changes}.items() if size is not None}
    check_limits(outcome)
    return outcome


def _check_name(name: str) -> None:
    if name != "weight" and not _NAME.fullmatch(name):
        raise InputError(
            f"There is no limit {name[:100]!r}.",
            hint="UNIT_per_minute, UNIT_per_day, UNIT_per_month, UNIT_total, or weight.",
            param=name[:100],
        )


def _check_number(name: str, size: Any, kinds: tuple[type, ...], least: float, most: float) -> None:
    is_fit = isinstance(size, kinds) and not isinstance(size, bool)
    if not is_fit or not least <= size <= most:  # NaN is in no interval
        whole = "a whole number" if kinds == (int,) else "a number"
        raise InputError(
            f"The limit {name} is {str(size)[:50]}; it must be {whole} from {least} to {most}.", param=name
        )
