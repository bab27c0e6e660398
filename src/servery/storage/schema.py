"""Brings a database to the schema of the code; a database that is there already costs one small query."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from servery.errors import StorageError

HEAD = "0004"
"""Revision of the newest migration under `migrations/versions`; equal to it by a test."""

MIGRATIONS = Path(__file__).parent / "migrations"


def bring_up_to_date(reading: Engine, writing: Engine) -> None:
    """Run the migrations that are missing, in one transaction.

    Args:
        reading: For the look whether anything is to do.
        writing: For the work; on SQLite its transactions exclude each other.

    Raises:
        StorageError: The database was written by a newer Servery.
    """
    with reading.begin() as connection:
        if stored_revision(connection) == HEAD:
            return
    with writing.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(7378697629)"))
        # Another process may have done it while this one waited for the lock.
        if stored_revision(connection) != HEAD:
            _migrate(connection)


def stored_revision(connection: Connection) -> str | None:
    """Return the revision a database is at; None for an empty one."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return found


def _migrate(connection: Connection) -> None:
    # Imported here because it takes longer than the rest of the start and is needed once in a release.
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(str(MIGRATIONS))
    stored = stored_revision(connection)
    if stored is not None and stored not in {s.revision for s in script.walk_revisions()}:
        raise StorageError(
            f"The database is at schema {stored!r}, which this Servery (schema {HEAD!r}) does not know: "
            "a newer one wrote it.",
            hint="Start the newer Servery again, or set SERVERY_HOME to another folder.",
        )
    context = MigrationContext.configure(connection)
    with Operations.context(context):
        for step in reversed(list(script.iterate_revisions(HEAD, stored or "base"))):
            step.module.upgrade()
    context.stamp(script, HEAD)
