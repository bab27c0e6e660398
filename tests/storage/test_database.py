"""Transactions, threads, processes and schema changes on real SQLite files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select, text, update

from servery.errors import ConflictError, InputError, StorageError
from servery.storage import schema, tables
from servery.storage.clock import utc_now, utc_text
from servery.storage.database import Database


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/house/servery.db"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database.open(url)
    yield opened
    opened.close()


def _count_up(connection: Connection) -> None:
    number = connection.scalars(select(tables.revision.c.number)).one()
    connection.execute(update(tables.revision).values(number=number + 1))


def _number(database: Database) -> int:
    with database.read() as connection:
        return int(connection.scalar(select(tables.revision.c.number)) or 0)


def test_sqlite_is_set_to_survive_power_cuts(database: Database) -> None:
    with database.read() as connection:
        settings = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    full = 2
    assert settings == ["wal", full, 1, 30_000]


def test_only_the_owner_may_read_the_database(database: Database, tmp_path: Path) -> None:
    with database.begin() as connection:
        _count_up(connection)
    files = list((tmp_path / "house").iterdir())
    assert {file.name for file in files} >= {"servery.db", "servery.db-wal"}
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)


def test_an_error_inside_rolls_everything_back(database: Database) -> None:
    def half() -> None:
        with database.begin() as connection:
            _count_up(connection)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert _number(database) == 0


def test_threads_that_read_and_then_write_lose_no_update(database: Database) -> None:
    def work(_: int) -> None:
        with database.begin() as connection:
            _count_up(connection)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(60)))
    assert _number(database) == 60


def test_a_reader_never_waits_for_a_writer(database: Database) -> None:
    with database.begin() as connection:
        _count_up(connection)
        assert _number(database) == 0
    assert _number(database) == 1


def test_a_reader_sees_one_picture(database: Database) -> None:
    with database.read() as reader:
        first = reader.scalar(select(tables.revision.c.number))
        with database.begin() as writer:
            _count_up(writer)
        assert reader.scalar(select(tables.revision.c.number)) == first
    assert _number(database) == 1


def test_an_alias_of_no_version_is_refused_by_the_database_itself(database: Database) -> None:
    with pytest.raises(ConflictError), database.begin() as connection:
        connection.execute(insert(tables.aliases).values(model="m", alias="production", number=1))


def test_processes_that_open_a_new_database_at_once_all_succeed(url: str) -> None:
    program = (
        "import sys; from servery.storage.database import Database; from sqlalchemy import text;"
        "sys.stdin.readline(); database = Database.open(sys.argv[1]);\n"
        "with database.begin() as c: c.execute(text('UPDATE revision SET number = number + 1'))"
    )
    openers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, url], stdin=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for opener in openers:
        assert opener.stdin is not None
        opener.stdin.write("\n")
        opener.stdin.flush()
    for opener in openers:
        opener.communicate()
    assert [opener.returncode for opener in openers] == [0] * 4
    database = Database.open(url)
    assert _number(database) == 4
    database.close()


def test_a_house_that_is_up_to_date_opens_without_heavy_libraries(url: str) -> None:
    Database.open(url).close()
    program = (
        "import sys; from servery.storage.database import Database; Database.open(sys.argv[1]);"
        "import servery.registry.registry, servery.registry.keys;"
        "print([m for m in ('alembic', 'numpy', 'torch', 'pandas', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program, url], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_migrations_make_exactly_the_tables_of_the_code(database: Database) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, tables.metadata) == []
        assert context.get_current_revision() == schema.HEAD
    assert ScriptDirectory(str(schema.MIGRATIONS)).get_current_head() == schema.HEAD


def test_a_database_of_a_newer_servery_is_refused_and_left_alone(url: str) -> None:
    database = Database.open(url)
    with database.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    database.close()
    for _ in range(2):
        with pytest.raises(StorageError, match="newer one wrote it") as refused:
            Database.open(url)
        assert refused.value.hint


def test_a_migration_that_fails_changes_nothing(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Database.open(url).close()
    from alembic.operations import Operations

    def failing(*_: object, **__: object) -> None:
        raise StorageError("half way")

    fresh = url.replace("servery.db", "fresh.db")
    with monkeypatch.context() as patch:
        patch.setattr(Operations, "bulk_insert", failing)
        with pytest.raises(StorageError, match="half way"):
            Database.open(fresh)
    database = Database.open(fresh)
    assert _number(database) == 0
    database.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "mysql://host/db", "no url at all"])
def test_a_url_that_would_lose_data_is_refused(url: str) -> None:
    with pytest.raises(StorageError):
        Database.open(url)


def test_a_file_that_is_no_database_is_one_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "servery.db").write_bytes(b"no database" * 1000)
    with pytest.raises(StorageError) as refused:
        Database.open(f"sqlite:///{tmp_path}/servery.db")
    assert "backup" in str(refused.value.hint)


def test_a_place_that_cannot_be_written_is_one_error_with_a_hint(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError) as refused:
        Database.open(f"sqlite:///{tmp_path}/file/servery.db")
    assert "SERVERY_HOME" in str(refused.value.hint)


def test_a_full_disk_is_a_storage_error_and_the_house_goes_on(database: Database) -> None:
    row = {"at": utc_now(), "actor": "a", "action": "b", "subject": "c", "detail": {"long": "x" * 10_000}}

    def fill() -> None:
        with database.begin() as connection:
            _count_up(connection)
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            connection.execute(insert(tables.audit), [row] * 100)

    with pytest.raises(StorageError) as refused:
        fill()
    assert "Free some space" in str(refused.value.hint)
    assert _number(database) == 0


def test_stored_moments_sort_as_time_and_need_a_zone() -> None:
    from datetime import UTC, datetime, timedelta, timezone

    noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
    same = noon.astimezone(timezone(timedelta(hours=8)))
    assert utc_text(same) == utc_text(noon) < utc_text(noon + timedelta(microseconds=1))
    with pytest.raises(InputError):
        utc_text(datetime(2026, 1, 2))


def test_an_error_in_the_middle_of_a_read_does_not_spoil_later_transactions(
    database: Database, url: str
) -> None:
    def read_half() -> None:
        with database.read() as connection:
            rows = iter(connection.execute(text("SELECT name FROM sqlite_master")))
            raise ZeroDivisionError(rows)

    with pytest.raises(
        ZeroDivisionError
    ) as error:  # it keeps the frame, and with it the rows that were not read
        read_half()
    other = Database.open(url)
    for number in (5, 6):
        for one in (other, database):
            with one.begin() as connection:
                connection.execute(text("UPDATE revision SET number = number + 1"))
        assert _number(database) == 2 * number - 8
    other.close()
    assert error.traceback
