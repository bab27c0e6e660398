"""The metadata database: short transactions on SQLite (or PostgreSQL), usable from threads and processes."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from servery.errors import ConflictError, StorageError
from servery.storage.schema import bring_up_to_date

BUSY_TIMEOUT_SECONDS = 30
"""How long a writer waits for another one; SQLite lets one write at a time."""


class Database:
    """Opened metadata, its schema up to date. Make one with `Database.open`.

    >>> from tempfile import TemporaryDirectory
    >>> from sqlalchemy import text
    >>> with TemporaryDirectory() as folder:
    ...     database = Database.open(f"sqlite:///{folder}/servery.db")
    ...     with database.read() as connection:
    ...         number = connection.scalar(text("SELECT number FROM revision"))
    ...     database.close()
    >>> number
    0
    """

    def __init__(self, engine: Engine) -> None:
        self._writing = engine
        self._reading = engine.execution_options(servery_reads=True)

    @classmethod
    def open(cls, url: str) -> Database:
        """Open the database at an SQLAlchemy URL, made and brought to the code's schema where needed.

        Several processes may open the same database at once.

        Args:
            url: `sqlite:///path/to/file.db` or `postgresql+psycopg://...`.

        Raises:
            StorageError: It cannot be opened, or a newer Servery wrote it.
        """
        database = cls(_engine(_parsed(url)))
        try:
            with _explained():
                bring_up_to_date(database._reading, database._writing)
        except BaseException:
            database.close()
            raise
        return database

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """Open a transaction that may write; it commits at the end, or rolls back on an error.

        When this ends without an error the change is on the disk. On SQLite writers come one at a time,
        so keep it short: no hashing, no copying of files inside.

        Raises:
            ConflictError: Someone else made the same thing at the same moment.
            StorageError: Nothing was changed; the disk, the permissions or the server are at fault.
        """
        with _explained(), self._writing.begin() as connection, _dropped_on_error(connection):
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that only reads: one consistent picture, never waiting for writers.

        Raises:
            StorageError: The database cannot be read.
        """
        with _explained(), self._reading.begin() as connection, _dropped_on_error(connection):
            yield connection

    def close(self) -> None:
        """Close every connection."""
        self._writing.dispose()


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StorageError("The database URL cannot be read.", hint="sqlite:///path/to/servery.db") from error
    backend = parsed.get_backend_name()
    if backend not in ("sqlite", "postgresql"):
        raise StorageError(f"The database is {backend!r}; it must be sqlite or postgresql.")
    if backend == "sqlite" and parsed.database in (None, "", ":memory:"):
        # Each connection would get its own empty database, and a stop would lose everything.
        raise StorageError("The database must be a file.", hint="sqlite:///path/to/servery.db")
    return parsed


def _engine(url: URL) -> Engine:
    if url.get_backend_name() != "sqlite":
        return create_engine(url, pool_pre_ping=True)
    path = Path(str(url.database))
    _make_private_file(path)
    engine = create_engine(url)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    with _explained():
        _turn_on_write_ahead_log(path)
    return engine


def _make_private_file(path: Path) -> None:
    # It holds key hashes. SQLite gives its side files the mode of the main one.
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Only ever a new file: to close any handle of a file drops this process's locks on it, and with them
        # those of SQLite's own connections (sqlite.org/howtocorrupt.html, section 2.2).
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        return
    except OSError as error:
        raise StorageError(
            f"The database {path} cannot be opened: {error.strerror}.",
            hint="Give this user the right to write there, or set SERVERY_HOME to another folder.",
        ) from error


def _turn_on_write_ahead_log(path: Path) -> None:
    # Two processes that switch the same new file at once get "locked" at once, whatever the busy timeout.
    deadline = time.monotonic() + BUSY_TIMEOUT_SECONDS
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_SECONDS)
    try:
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
    finally:
        connection.close()


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # `_begin_sqlite` begins the transactions; the driver's own would start late and without the write lock.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_SECONDS * 1000}")
    # In write-ahead mode FULL is what makes a commit survive a power cut.
    connection.execute("PRAGMA synchronous = FULL")


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes the lock at once: a reader that turns writer can fail with "busy" without waiting.
    reads = connection.get_execution_options().get("servery_reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


@contextmanager
def _dropped_on_error(connection: Connection) -> Iterator[None]:
    try:
        yield
    except BaseException:
        # A half-read result lives as long as the error's traceback, and holds its old picture of the database open:
        # whoever got this connection next would read the past, or be told "locked" when writing.
        connection.invalidate()
        raise


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise ConflictError(
            f"The change does not fit what is stored: {error.orig}.", hint="Look again and repeat it."
        ) from error
    except (DBAPIError, sqlite3.Error, PoolTimeoutError) as error:
        cause = getattr(error, "orig", None) or error
        raise StorageError(f"The database failed: {cause}.", hint=_hint(str(cause))) from error


def _hint(cause: str) -> str:
    if "full" in cause:
        return "Free some space on the disk of SERVERY_HOME and repeat; nothing was changed."
    if "readonly" in cause or "unable to open" in cause:
        return "Give this user the right to write to SERVERY_HOME and the files in it."
    if "malformed" in cause or "not a database" in cause:
        return "Restore servery.db (with its -wal file) from a backup."
    if "locked" in cause:
        return "Another process holds the database; find it with 'servery ps', then repeat."
    return "servery doctor"
