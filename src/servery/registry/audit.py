"""Who changed what: every change of the registry and of the keys goes through `audited_change`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select, update

from servery.errors import InputError
from servery.storage import tables
from servery.storage.clock import utc_now
from servery.storage.database import Database


@dataclass(frozen=True)
class AuditEntry:
    """One change.

    Attributes:
        id: Grows with time.
        at: When, ISO 8601 in UTC.
        actor: Who: a key's name, or a user of this machine.
        action: What, e.g. "version.register", "alias.point", "key.revoke".
        subject: On what, e.g. "reviews@3", "key:ci".
        detail: What else is worth knowing, as plain JSON types; never a secret.
    """

    id: int
    at: str
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]


class Change:
    """A change under way: rows go through `connection`, and `record` says what was done.

    Attributes:
        connection: The open transaction; no other change happens until it ends.
    """

    def __init__(self, connection: Connection, actor: str) -> None:
        self.connection = connection
        self._actor = actor

    def record(self, action: str, subject: str, **detail: Any) -> None:
        """Write one line of the audit, in the same transaction as the change itself."""
        row = {"at": utc_now(), "actor": self._actor, "action": action, "subject": subject, "detail": detail}
        self.connection.execute(insert(tables.audit).values(row))


@contextmanager
def audited_change(database: Database, actor: str) -> Iterator[Change]:
    """Open a transaction that raises the revision; changes of all processes come one after the other.

    Args:
        database: Where.
        actor: Who is named in the audit, 1 to 128 characters.

    Raises:
        InputError: Nobody is named.
        StorageError: Nothing was changed.
    """
    if not 1 <= len(actor) <= 128:
        raise InputError(f"The actor {actor[:140]!r} must be a name of 1 to 128 characters.", param="actor")
    with database.begin() as connection:
        # First of all, since on PostgreSQL the lock of this row is what makes changes wait for each other.
        connection.execute(update(tables.revision).values(number=tables.revision.c.number + 1))
        yield Change(connection, actor)


def read_audit(database: Database, limit: int = 100) -> list[AuditEntry]:
    """Return the newest changes, the newest first."""
    query = select(tables.audit).order_by(tables.audit.c.id.desc()).limit(limit)
    with database.read() as connection:
        return [AuditEntry(**row) for row in connection.execute(query).mappings()]


def read_revision(database: Database) -> int:
    """Return the number that grows with every change of versions, aliases and keys."""
    with database.read() as connection:
        return int(connection.scalar(select(tables.revision.c.number)) or 0)
