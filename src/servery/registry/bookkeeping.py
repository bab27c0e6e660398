"""One server process's batches of usage and of claims on quotas, each written exactly once."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, insert, or_, select, update

from servery.registry.quotas import Claim, Grant, book_quotas
from servery.registry.usage import Used, add_usage
from servery.storage import tables
from servery.storage.clock import utc_now, utc_text
from servery.storage.database import Database

FORGOTTEN_AFTER_DAYS = 2
"""From when on the row of a process that wrote no more is removed; it serves to repeat a write, seconds later."""

_LEDGERS = tables.ledgers.c
_NOTE_USE = (
    update(tables.keys)
    .where(tables.keys.c.id == bindparam("of"))
    .where(or_(tables.keys.c.last_used_at.is_(None), tables.keys.c.last_used_at < bindparam("at")))
    .values(last_used_at=bindparam("at"))
)


@dataclass(frozen=True)
class Batch:
    """What one process writes in one transaction.

    Attributes:
        used: What keys used since the batch before.
        claims: What it wants of quotas.
        last_used: Id of a key to when it was last used, as stored text.
    """

    used: Sequence[Used] = ()
    claims: Sequence[Claim] = ()
    last_used: Mapping[str, str] = field(default_factory=dict)


class Bookkeeping:
    """The way of one process to the tables of usage and quotas.

    Batches are numbered, and the number stands in the same transaction as what the batch changes: after a failure
    that left open whether it was committed, the same batch is written again, and counts once.

    Args:
        database: Where.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._id = f"ledger-{secrets.token_hex(8)}"
        self._sequence = 1

    def write(self, batch: Batch) -> list[Grant]:
        """Write a batch, durable on return; after an error write the same one again before any other.

        Returns:
            What its claims were given, in their order.

        Raises:
            StorageError: The database failed.
            ConflictError: Another process made the same row at the same moment.
        """
        with self._database.begin() as connection:
            granted = self._granted(connection)
            if granted is None:
                add_usage(connection, batch.used)
                _note_use(connection, batch.last_used)
                granted = book_quotas(connection, batch.claims)
                self._note_batch(connection, granted)
        self._sequence += 1
        return granted

    def close(self) -> None:
        """Remove what only this process needs, and what processes left that were killed.

        Raises:
            StorageError: The database failed; nothing is lost by that.
        """
        old = utc_text(datetime.now(UTC) - timedelta(days=FORGOTTEN_AFTER_DAYS))
        with self._database.begin() as connection:
            connection.execute(
                delete(tables.ledgers).where(or_(_LEDGERS.id == self._id, _LEDGERS.written_at < old))
            )

    def _granted(self, connection: Connection) -> list[Grant] | None:
        """Return what this batch was given if it was committed before."""
        query = select(_LEDGERS.granted).where(_LEDGERS.id == self._id, _LEDGERS.sequence == self._sequence)
        stored = connection.scalar(query)
        return None if stored is None else [Grant(*pair) for pair in stored]

    def _note_batch(self, connection: Connection, granted: Sequence[Grant]) -> None:
        values = {
            "sequence": self._sequence,
            "granted": [[grant.granted, grant.booked] for grant in granted],
            "written_at": utc_now(),
        }
        noted = connection.execute(update(tables.ledgers).where(_LEDGERS.id == self._id).values(**values))
        if not noted.rowcount:
            connection.execute(insert(tables.ledgers).values(id=self._id, **values))


def _note_use(connection: Connection, last_used: Mapping[str, str]) -> None:
    if last_used:
        connection.execute(
            _NOTE_USE, [{"of": key, "at": moment} for key, moment in sorted(last_used.items())]
        )
