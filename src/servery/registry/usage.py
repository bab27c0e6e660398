"""What keys used: rows by key, model, unit and hour, added to by every server process, and totals of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, func, literal, or_, select
from sqlalchemy.dialects import postgresql, sqlite

from servery.errors import InputError
from servery.registry.limits import REQUESTS
from servery.storage import tables
from servery.storage.clock import read_moment
from servery.storage.database import Database

GROUPS = ("key", "model", "hour", "day", "month")
"""What totals may be told apart by; units always are."""
MOST_TOTALS = 100_000

_WIDTHS = {"hour": len("2026-01-02T03"), "day": len("2026-01-02"), "month": len("2026-01")}
_UNTOLD = literal("")
_INSERTS: dict[str, Any] = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}


@dataclass(frozen=True, slots=True)
class Used:
    """What one key used of one model in one hour, as far as it was not written yet.

    Attributes:
        key_id: Who.
        model: The version, "name@3".
        unit: What `units` counts.
        hour: Its start, as stored text.
        requests: Requests answered.
        units: How many of the unit.
        compute_seconds: Time the model spent on them.
    """

    key_id: str
    model: str
    unit: str
    hour: str
    requests: int
    units: int
    compute_seconds: float


@dataclass(frozen=True, slots=True)
class Total:
    """A sum of usage; what it was not asked to be told apart by is "".

    Attributes:
        key: Id of the key.
        name: Its name.
        model: The version, "name@3".
        unit: What `units` counts.
        start: Of the hour, day or month, e.g. "2026-01-02T03", "2026-01-02" or "2026-01".
        requests: Requests answered.
        units: How many of the unit.
        compute_seconds: Time the models spent on them.
    """

    key: str
    name: str
    model: str
    unit: str
    start: str
    requests: int
    units: int
    compute_seconds: float


def add_usage(connection: Connection, rows: Iterable[Used]) -> None:
    """Add to the rows that are there, and make those that are not."""
    values = [
        {
            "key_id": row.key_id,
            "model": row.model,
            "unit": row.unit,
            "bucket_start": row.hour,
            "amount": row.units,
            "requests": row.requests,
            "compute_seconds": row.compute_seconds,
        }
        for row in sorted(rows, key=lambda row: (row.key_id, row.model, row.unit, row.hour))
    ]
    if values:
        added = _INSERTS[connection.dialect.name](tables.usage)
        sums = {n: tables.usage.c[n] + added.excluded[n] for n in ("amount", "requests", "compute_seconds")}
        wanted = added.on_conflict_do_update(index_elements=tables.usage.primary_key, set_=sums)
        connection.execute(wanted, values)


def used_since(connection: Connection, key_id: str, unit: str, start: str) -> int:
    """Return how much of a unit, or how many requests, a key used since a moment on the hour."""
    usage = tables.usage.c
    counted = usage.requests if unit == REQUESTS else usage.amount
    query = select(func.sum(counted)).where(usage.key_id == key_id, usage.bucket_start >= start)
    if unit != REQUESTS:
        query = query.where(usage.unit == unit)
    return int(connection.scalar(query) or 0)


def read_usage(
    database: Database,
    groups: Sequence[str] = ("key", "model"),
    *,
    since: str = "",
    until: str = "",
    key: str = "",
    model: str = "",
) -> list[Total]:
    """Return totals of what was used.

    Args:
        database: Where.
        groups: What to tell apart, of `GROUPS`; at most one of time.
        since: Only hours that begin at this moment or later, as `read_moment` takes it; "" for all.
        until: Only hours that begin before this moment; "" for all.
        key: Only this key, by its id or name; "" for all.
        model: Only this model, "name" or "name@3"; "" for all.

    Raises:
        InputError: A group is unknown, a moment cannot be read, or the answer would be too long.
    """
    _check_groups(groups)
    usage = tables.usage.c
    width = next((_WIDTHS[group] for group in groups if group in _WIDTHS), 0)
    parts: dict[str, ColumnElement[Any]] = {
        "key": usage.key_id if "key" in groups else _UNTOLD,
        "name": tables.keys.c.name if "key" in groups else _UNTOLD,
        "model": usage.model if "model" in groups else _UNTOLD,
        "unit": usage.unit,
        "start": func.substr(usage.bucket_start, 1, width) if width else _UNTOLD,
    }
    sums = {
        "requests": func.sum(usage.requests),
        "units": func.sum(usage.amount),
        "compute_seconds": func.sum(usage.compute_seconds),
    }
    columns = [part.label(name) for name, part in {**parts, **sums}.items()]
    order = [name for name in ("start", "name", "key", "model", "unit") if parts[name] is not _UNTOLD]
    query = select(*columns).select_from(tables.usage.join(tables.keys)).group_by(*order).order_by(*order)
    for condition in _conditions(since, until, key, model):
        query = query.where(condition)
    with database.read() as connection:
        rows = connection.execute(query.limit(MOST_TOTALS + 1)).mappings().all()
    if len(rows) > MOST_TOTALS:
        raise InputError(
            f"These are more than {MOST_TOTALS} totals.", hint="Ask for less time or fewer groups."
        )
    return [_total(row) for row in rows]


def _check_groups(groups: Sequence[str]) -> None:
    for group in groups:
        if group not in GROUPS:
            raise InputError(f"There is no group {group[:50]!r}; known: {', '.join(GROUPS)}.", param="group")
    if sum(group in _WIDTHS for group in groups) > 1:
        raise InputError("Only one of hour, day and month can be a group.", param="group")


def _conditions(since: str, until: str, key: str, model: str) -> Iterator[ColumnElement[bool]]:
    usage = tables.usage.c
    if since:
        yield usage.bucket_start >= read_moment(since)
    if until:
        yield usage.bucket_start < read_moment(until)
    if key:
        yield or_(usage.key_id == key, tables.keys.c.name == key)
    if model:
        yield or_(usage.model == model, usage.model.startswith(f"{model}@", autoescape=True))


def _total(row: RowMapping) -> Total:
    # Sums come as floats from SQLite and as decimals from PostgreSQL.
    numbers = {"requests": int(row["requests"]), "units": int(row["units"])}
    return Total(**{**row, **numbers, "compute_seconds": round(float(row["compute_seconds"]), 6)})
