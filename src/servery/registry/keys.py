"""API keys: shown once, stored as a keyed hash, revoked at once."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, RowMapping, insert, select, update

from servery.errors import ConflictError, InputError, StorageError, UnknownNameError
from servery.registry.audit import audited_change
from servery.registry.limits import changed
from servery.registry.names import checked_name
from servery.registry.quotas import forget_quotas
from servery.storage import tables
from servery.storage.clock import utc_now, utc_text
from servery.storage.database import Database
from servery.storage.files import create_once, make_folder, remove_partials, writing

SECRET_PREFIX = "sk-servery-"
"""Lets people and secret scanners tell what a leaked string is."""
ADMIN_SCOPE = "admin"
"""The scope that allows everything."""

_SECRET = re.compile(re.escape(SECRET_PREFIX) + r"[A-Za-z0-9_-]{43}")
_SCOPE = re.compile(r"[a-z0-9*][a-z0-9*:._@/-]{0,127}")


@dataclass(frozen=True)
class KeyRecord:
    """What is stored about a key; never the secret. Moments are ISO 8601 in UTC.

    Attributes:
        id: Stays the same for ever, e.g. "key-0f3a...".
        name: For people; unique among the keys that are not revoked.
        scopes: What it allows.
        created_at: When it was made.
        expires_at: From when on it is refused; None for never.
        revoked_at: When it was revoked; None if it was not.
        last_used_at: When it was last used, to half a second or so.
        limits: Rates, quotas and weight, name to number; see `servery.registry.limits`.
    """

    id: str
    name: str
    scopes: tuple[str, ...]
    created_at: str
    expires_at: str | None
    revoked_at: str | None
    last_used_at: str | None
    limits: dict[str, Any]

    def is_valid(self, now: datetime | None = None) -> bool:
        """Return whether the key may be used at a moment with a time zone (None: now)."""
        if self.revoked_at is not None:
            return False
        return self.expires_at is None or utc_text(now or datetime.now(UTC)) < self.expires_at


class Keys:
    """The keys of one house.

    Attributes:
        database: Where the records are.

    Args:
        database: Where the records are.
        pepper_file: Holds the secret that the hashes are keyed with, so that a stolen database alone tests no
            guesses; made at the first key, mode 0600. Without it no key works: back it up with the database.

    Raises:
        StorageError: The file cannot be read or written, others may read it, or it is gone while keys exist.
    """

    def __init__(self, database: Database, pepper_file: Path) -> None:
        self.database = database
        with writing(pepper_file):
            self._pepper = _pepper(database, pepper_file)
            # A kill while a secret was written leaves a second name of it.
            remove_partials(pepper_file.parent)

    def create(
        self,
        name: str,
        scopes: Sequence[str],
        expires_at: datetime | None = None,
        limits: Mapping[str, Any] | None = None,
        *,
        actor: str,
    ) -> tuple[KeyRecord, str]:
        """Make a key.

        Args:
            name: For people.
            scopes: What it allows, at least one.
            expires_at: From when on it is refused, with a time zone.
            limits: Rates and quotas, name to number; see `limits.check_limits`.
            actor: Who is named in the audit.

        Returns:
            The record and the secret, which cannot be had again.

        Raises:
            ConflictError: A key of that name is in use.
            InputError: The name, a scope or a limit is not allowed.
        """
        secret = SECRET_PREFIX + secrets.token_urlsafe(32)
        row = self._row(name, scopes, expires_at, limits, secret)
        with audited_change(self.database, actor) as change:
            if _live(change.connection, name) is not None:
                raise ConflictError(
                    f"There is a key {name!r} already.", hint=f"servery keys revoke {name}", param="name"
                )
            change.connection.execute(insert(tables.keys).values(row))
            change.record(
                "key.create", f"key:{name}", id=row["id"], scopes=row["scopes"], limits=row["limits"]
            )
        return _record(row), secret

    def find(self, secret: str) -> KeyRecord | None:
        """Return the key of a secret, valid or not (`is_valid` tells); None for a secret of no key.

        The look-up is by the keyed hash, so its time tells nothing about any secret.
        """
        if not _SECRET.fullmatch(secret):
            return None
        digest = self._hash(secret)
        with self.database.read() as connection:
            row = (
                connection.execute(select(tables.keys).where(tables.keys.c.hash == digest)).mappings().first()
            )
        if row is None or not hmac.compare_digest(row["hash"], digest):
            return None
        return _record(row)

    def get(self, key_id: str) -> KeyRecord | None:
        """Return the key of an id, valid or not; None for an id of no key."""
        with self.database.read() as connection:
            row = _by_id(connection, key_id)
        return None if row is None else _record(row)

    def list(self) -> list[KeyRecord]:
        """Return every key, the oldest first, the revoked ones too."""
        query = select(tables.keys).order_by(tables.keys.c.created_at, tables.keys.c.id)
        with self.database.read() as connection:
            return [_record(row) for row in connection.execute(query).mappings()]

    def revoke(self, id_or_name: str, *, actor: str) -> KeyRecord:
        """Refuse a key from now on. Revoking one that is revoked changes nothing.

        Raises:
            UnknownNameError: There is no such key.
        """
        with audited_change(self.database, actor) as change:
            row = _found(change.connection, id_or_name)
            if row["revoked_at"] is not None:
                return _record(row)
            now = utc_now()
            change.connection.execute(
                update(tables.keys).where(tables.keys.c.id == row["id"]).values(revoked_at=now)
            )
            change.record("key.revoke", f"key:{row['name']}", id=row["id"])
        return _record({**row, "revoked_at": now})

    def limit(self, id_or_name: str, changes: Mapping[str, int | float | None], *, actor: str) -> KeyRecord:
        """Change the limits of a key; running servers follow within half a second.

        A limit that is new begins with what usage says was used in its day, month or altogether.

        Args:
            id_or_name: Which key.
            changes: Name to number, or to None to remove it; limits that are not named stay.
            actor: Who is named in the audit.

        Raises:
            UnknownNameError: There is no such key.
            InputError: A limit cannot be.
        """
        with audited_change(self.database, actor) as change:
            row = _found(change.connection, id_or_name)
            limits = changed(row["limits"], changes)
            change.connection.execute(
                update(tables.keys).where(tables.keys.c.id == row["id"]).values(limits=limits)
            )
            forget_quotas(change.connection, row["id"], limits.keys() - row["limits"].keys())
            change.record("key.limit", f"key:{row['name']}", id=row["id"], limits=limits)
        return _record({**row, "limits": limits})

    def ensure_admin_key(self, file: Path) -> str | None:
        """Make the first admin key, once in the life of a database; a file (mode 0600) keeps its secret.

        Several processes may call it at once, and it may be killed at any point: there is one key, and the
        file holds its secret.

        Returns:
            The secret if this call made the key; None if there was an admin key before (revoked ones count).

        Raises:
            StorageError: The file cannot be written, or holds something that is no key.
        """
        with self.database.read() as connection:
            if _has_admin(connection):
                return None
        with audited_change(self.database, "servery") as change:
            # Another process may have made it while this one waited.
            if _has_admin(change.connection):
                return None
            # The file comes first: a kill in between leaves a secret that the next start makes valid.
            make_folder(file.parent)
            create_once(file, f"{SECRET_PREFIX}{secrets.token_urlsafe(32)}\n".encode())
            secret = _read_private(file)
            if not _SECRET.fullmatch(secret):
                raise StorageError(f"The file {file} holds no key of Servery.", hint=f"rm {file}")
            row = self._row("admin", [ADMIN_SCOPE], None, None, secret)
            change.connection.execute(insert(tables.keys).values(row))
            change.record("key.create", "key:admin", id=row["id"], scopes=row["scopes"])
        return secret

    def _row(
        self,
        name: str,
        scopes: Sequence[str],
        expires_at: datetime | None,
        limits: Mapping[str, Any] | None,
        secret: str,
    ) -> dict[str, Any]:
        if not scopes or isinstance(scopes, str) or not all(_SCOPE.fullmatch(scope) for scope in scopes):
            raise InputError(f"The scopes {scopes!r} must be a list of at least one scope.", param="scopes")
        return {
            "id": f"key-{secrets.token_hex(8)}",
            "name": checked_name(name, "key name"),
            "hash": self._hash(secret),
            "scopes": sorted(set(scopes)),
            "limits": changed({}, limits or {}),
            "created_at": utc_now(),
            "expires_at": utc_text(expires_at) if expires_at is not None else None,
            "revoked_at": None,
            "last_used_at": None,
        }

    def _hash(self, secret: str) -> str:
        return hmac.new(self._pepper, secret.encode(), hashlib.sha256).hexdigest()


def _record(row: Mapping[str, Any] | RowMapping) -> KeyRecord:
    values = {name: row[name] for name in KeyRecord.__dataclass_fields__}
    return KeyRecord(**{**values, "scopes": tuple(row["scopes"]), "limits": dict(row["limits"])})


def _found(connection: Connection, id_or_name: str) -> RowMapping:
    row = _by_id(connection, id_or_name) or _live(connection, id_or_name)
    if row is None:
        known = connection.scalars(select(tables.keys.c.name).where(tables.keys.c.revoked_at.is_(None)))
        raise UnknownNameError.among("key", id_or_name, known)
    return row


def _by_id(connection: Connection, key_id: str) -> RowMapping | None:
    return connection.execute(select(tables.keys).where(tables.keys.c.id == key_id)).mappings().first()


def _live(connection: Connection, name: str) -> RowMapping | None:
    query = select(tables.keys).where(tables.keys.c.name == name, tables.keys.c.revoked_at.is_(None))
    return connection.execute(query).mappings().first()


def _has_admin(connection: Connection) -> bool:
    return any(ADMIN_SCOPE in scopes for scopes in connection.scalars(select(tables.keys.c.scopes)))


def _pepper(database: Database, file: Path) -> bytes:
    if not file.exists():
        with database.read() as connection:
            has_keys = connection.scalar(select(tables.keys.c.id).limit(1)) is not None
        # Looked at again, since another process may just have made the file and then a key.
        if has_keys and not file.exists():
            raise StorageError(
                f"There are keys, but the file {file} they were hashed with is gone.",
                hint=f"Restore {file.name} from the backup of SERVERY_HOME.",
            )
        make_folder(file.parent)
        create_once(file, secrets.token_hex(32).encode())
    pepper = _read_private(file).encode()
    if len(pepper) < 64:
        raise StorageError(f"The file {file} is torn.", hint="Restore it from the backup of SERVERY_HOME.")
    return pepper


def _read_private(file: Path) -> str:
    try:
        with file.open(encoding="ascii") as stream:
            mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
            if os.name == "posix" and mode & 0o077:
                raise StorageError(f"Others may read the secret in {file}.", hint=f"chmod 600 {file}")
            return stream.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise StorageError(f"The secret in {file} cannot be read: {error}.") from error
