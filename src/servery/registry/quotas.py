"""What was taken out of each quota: servers book a block before they spend it, so that no crash overruns one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, insert, select, tuple_, update

from servery.registry.usage import used_since
from servery.storage import tables

LEFT_FOR_OTHERS = 4
"""A block beyond what is needed at once takes at most one part in so many of what is free: near its end a quota
is handed out in small pieces, so that no server holds what another one needs."""
KEPT_WINDOWS = 3
"""Windows of a quota that are kept: the present one, and those before it that a slow clock may still be in."""

Place = tuple[str, str, str]
"""Where a quota's row is: id of the key, name, start of the window."""

_QUOTAS = tables.quotas.c
_PLACE = (_QUOTAS.key_id, _QUOTAS.name, _QUOTAS.window_start)
_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class Claim:
    """What a server wants of one quota of one key.

    Attributes:
        place: Which quota.
        unit: What it counts.
        size: How much may be booked in its window.
        returned: What was booked and is not needed any more; negative for what was spent beyond what was booked.
        needed: What requests wait for.
        wanted: What would be good to have besides, for the requests to come.
    """

    place: Place
    unit: str
    size: int
    returned: int = 0
    needed: int = 0
    wanted: int = 0


@dataclass(frozen=True, slots=True)
class Grant:
    """What a claim was given, and what all servers together have booked of the quota now."""

    granted: int
    booked: int


def book_quotas(connection: Connection, claims: Sequence[Claim]) -> list[Grant]:
    """Book what claims ask for, as far as it is free; write usage before, in the same transaction.

    A quota that was not booked yet in its window begins with what usage says: a new limit counts the past too.

    Returns:
        What each claim was given, in their order.
    """
    stored = _stored(connection, [claim.place for claim in claims])
    booked = dict(stored)
    grants = []
    for claim in claims:
        if claim.place in booked:
            remaining = booked[claim.place] - claim.returned
        else:
            # What is returned here was booked in a row that is gone, so usage does not hold it.
            key_id, _, start = claim.place
            remaining = used_since(connection, key_id, claim.unit, start) + max(0, -claim.returned)
        granted = _granted(claim, claim.size - remaining)
        booked[claim.place] = max(0, remaining + granted)
        grants.append(Grant(granted, booked[claim.place]))
    _store(connection, booked, stored)
    return grants


def forget_quotas(connection: Connection, key_id: str, names: Iterable[str]) -> None:
    """Let quotas begin anew with what usage says, because nobody counted them for a while."""
    connection.execute(delete(tables.quotas).where(_QUOTAS.key_id == key_id, _QUOTAS.name.in_(list(names))))


def _granted(claim: Claim, free: int) -> int:
    if free <= claim.needed:
        return max(0, free)
    return claim.needed + min(claim.wanted, (free - claim.needed) // LEFT_FOR_OTHERS)


def _stored(connection: Connection, places: Sequence[Place]) -> dict[Place, int]:
    found: dict[Place, int] = {}
    for first in range(0, len(places), _AT_ONCE):
        some = places[first : first + _AT_ONCE]
        # The lock is for PostgreSQL; on SQLite a transaction that writes is alone anyway.
        query = select(*_PLACE, _QUOTAS.booked).where(tuple_(*_PLACE).in_(some)).with_for_update()
        for key_id, name, start, booked in connection.execute(query):
            found[key_id, name, start] = booked
    return found


def _store(connection: Connection, booked: Mapping[Place, int], stored: Mapping[Place, int]) -> None:
    for place, amount in booked.items():
        if place not in stored:
            values = dict(zip(("key_id", "name", "window_start"), place, strict=True))
            connection.execute(insert(tables.quotas).values(booked=amount, **values))
            _remove_old_windows(connection, *place[:2])
        elif amount != stored[place]:
            change = update(tables.quotas).where(*[c == v for c, v in zip(_PLACE, place, strict=True)])
            connection.execute(change.values(booked=amount))


def _remove_old_windows(connection: Connection, key_id: str, name: str) -> None:
    is_this = (_QUOTAS.key_id == key_id, _QUOTAS.name == name)
    kept = (
        select(_QUOTAS.window_start).where(*is_this).order_by(_QUOTAS.window_start.desc()).limit(KEPT_WINDOWS)
    )
    connection.execute(delete(tables.quotas).where(*is_this, _QUOTAS.window_start.not_in(kept)))
