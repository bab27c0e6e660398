"""Usage and quotas in the database: added up, told apart, booked once, never beyond their size."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text

from servery.errors import InputError, StorageError
from servery.registry.audit import read_revision
from servery.registry.bookkeeping import Batch, Bookkeeping
from servery.registry.keys import Keys
from servery.registry.quotas import Claim
from servery.registry.usage import Used, read_usage
from servery.registry.window import window_at
from servery.storage import tables
from servery.storage.database import Database

HOURS = ["2026-02-28T23:00:00.000000Z", "2026-03-01T00:00:00.000000Z", "2026-03-01T01:00:00.000000Z"]
DAY = HOURS[1]


@pytest.fixture
def keys(database: Database, tmp_path: Path) -> Keys:
    return Keys(database, tmp_path / "house" / "pepper.key")


@pytest.fixture
def key(keys: Keys) -> str:
    return keys.create("app", ["predict"], actor="ada")[0].id


@pytest.fixture
def book(database: Database) -> Bookkeeping:
    return Bookkeeping(database)


def claim(key: str, size: int = 100, start: str = DAY, name: str = "rows_per_day", **more: int) -> Claim:
    return Claim((key, name, start), name.partition("_")[0], size, **more)


def booked(database: Database) -> dict[tuple[str, str], int]:
    with database.read() as connection:
        rows = connection.execute(select(tables.quotas)).mappings().all()
    return {(row["name"], row["window_start"]): row["booked"] for row in rows}


def test_usage_is_added_up_and_told_apart_as_asked(
    database: Database, keys: Keys, key: str, book: Bookkeeping
) -> None:
    other = keys.create("other", ["predict"], actor="ada")[0].id
    for hour in HOURS:
        book.write(Batch([Used(key, "reviews@1", "rows", hour, 2, 10, 0.25)]))
    book.write(
        Batch(
            [
                Used(key, "reviews@1", "rows", HOURS[2], 1, 1, 0.5),
                Used(other, "scribe@2", "tokens", DAY, 1, 9, 1),
            ]
        )
    )
    by_model = [
        (t.name, t.model, t.unit, t.requests, t.units, t.compute_seconds) for t in read_usage(database)
    ]
    assert by_model == [("app", "reviews@1", "rows", 7, 31, 1.25), ("other", "scribe@2", "tokens", 1, 9, 1.0)]
    days = read_usage(database, ["day"])
    assert [(t.start, t.unit, t.units, t.key) for t in days] == [
        ("2026-02-28", "rows", 10, ""),
        ("2026-03-01", "rows", 21, ""),
        ("2026-03-01", "tokens", 9, ""),
    ]
    assert [t.start for t in read_usage(database, ["month"], key="app")] == ["2026-02", "2026-03"]
    assert [t.start for t in read_usage(database, ["hour"], model="scribe")] == ["2026-03-01T00"]
    assert [
        t.units for t in read_usage(database, [], since="2026-03-01", until="2026-03-01T01:00Z", key=key)
    ] == [10]
    assert read_usage(database, model="review") == []


@pytest.mark.parametrize(
    ("groups", "since"),
    [(["day", "hour"], ""), (["color"], ""), (["key"], "yesterday"), (["key"], "2026-13-01")],
)
def test_questions_about_usage_that_cannot_be_are_refused(
    database: Database, groups: list[str], since: str
) -> None:
    with pytest.raises(InputError):
        read_usage(database, groups, since=since)


def test_the_use_of_a_key_is_noted_without_waking_the_servers(
    database: Database, keys: Keys, key: str, book: Bookkeeping
) -> None:
    before = read_revision(database)
    book.write(Batch(last_used={key: "2026-01-02T00:00:00.000000Z"}))
    book.write(Batch(last_used={key: "2026-01-01T00:00:00.000000Z"}))
    assert keys.list()[0].last_used_at == "2026-01-02T00:00:00.000000Z"
    assert read_revision(database) == before


def test_a_quota_is_booked_to_its_end_and_not_beyond(database: Database, key: str, book: Bookkeeping) -> None:
    first, second = book.write(Batch(claims=[claim(key, needed=10, wanted=1000), claim(key, needed=90)]))
    assert first.granted == 10 + (100 - 10) // 4
    assert second.granted == 100 - first.granted
    assert book.write(Batch(claims=[claim(key, needed=1)]))[0].granted == 0
    assert book.write(Batch(claims=[claim(key, returned=5, needed=9)]))[0].granted == 5
    assert book.write(Batch(claims=[claim(key, start=HOURS[2], needed=100)]))[0].granted == 100
    assert booked(database) == {("rows_per_day", DAY): 100, ("rows_per_day", HOURS[2]): 100}


def test_what_was_spent_beyond_the_block_is_booked_whatever_is_free(key: str, book: Bookkeeping) -> None:
    book.write(Batch(claims=[claim(key, needed=95)]))
    assert book.write(Batch(claims=[claim(key, returned=-10, needed=1)]))[0].booked == 105


def test_a_new_quota_begins_with_the_usage_of_its_window(
    database: Database, key: str, book: Bookkeeping
) -> None:
    book.write(Batch([Used(key, "reviews@1", "rows", hour, 3, 20, 0.0) for hour in HOURS]))
    book.write(Batch([Used(key, "scribe@1", "tokens", HOURS[2], 1, 1000, 0.0)]))
    claims = [
        claim(key, needed=100),
        claim(key, name="requests_per_day", needed=100),
        claim(key, name="rows_total", needed=100, start="0001-01-01T00:00:00.000000Z"),
    ]
    assert [grant.granted for grant in book.write(Batch(claims=claims))] == [60, 93, 40]


def test_a_quota_that_was_removed_for_a_while_begins_anew_with_the_usage(
    database: Database, keys: Keys, key: str, book: Bookkeeping
) -> None:
    keys.limit(key, {"rows_per_day": 100}, actor="ada")
    book.write(Batch(claims=[claim(key, needed=30)]))
    keys.limit(key, {"rows_per_day": 200}, actor="ada")
    assert booked(database) == {("rows_per_day", DAY): 30}
    keys.limit(key, {"rows_per_day": None}, actor="ada")
    book.write(Batch([Used(key, "reviews@1", "rows", DAY, 1, 80, 0.0)]))
    keys.limit(key, {"rows_per_day": 100}, actor="ada")
    # A block from before belongs to no row that is left.
    assert book.write(Batch(claims=[claim(key, returned=30, needed=100)]))[0].granted == 20


def test_windows_long_past_are_removed(database: Database, key: str, book: Bookkeeping) -> None:
    for day in range(1, 10):
        book.write(Batch(claims=[claim(key, start=f"2026-03-0{day}T00:00:00.000000Z", needed=1)]))
    assert [start[:10] for _, start in booked(database)] == ["2026-03-07", "2026-03-08", "2026-03-09"]


def test_a_batch_whose_commit_was_not_heard_of_counts_once(
    database: Database, key: str, book: Bookkeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = Batch([Used(key, "reviews@1", "rows", DAY, 1, 7, 0.5)], [claim(key, needed=5)], {key: DAY})
    begin = database.begin

    class Deaf:
        """Commits, and then the line goes dead."""

        def __enter__(self) -> object:
            self.inner = begin()
            return self.inner.__enter__()

        def __exit__(self, *error: object) -> None:
            self.inner.__exit__(None, None, None)
            raise StorageError("connection lost")

    with monkeypatch.context() as patch:
        patch.setattr(database, "begin", Deaf)
        for _ in range(2):
            with pytest.raises(StorageError):
                book.write(batch)
    assert [grant.granted for grant in book.write(batch)] == [5]
    book.write(batch)
    assert [(t.requests, t.units) for t in read_usage(database)] == [(2, 14)]
    assert booked(database) == {("rows_per_day", DAY): 7 + 5 + 5}  # it begins with the first batch's usage
    book.close()
    with database.read() as connection:
        assert connection.execute(select(tables.ledgers)).all() == []


def test_usage_of_a_database_of_the_first_schema_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path}/old.db"
    with monkeypatch.context() as patch:
        patch.setattr("servery.storage.schema.HEAD", "0001")
        old = Database.open(url)
        key, _ = Keys(old, tmp_path / "pepper.key").create("app", ["predict"], actor="ada")
        with old.begin() as connection:
            row = f"INSERT INTO usage VALUES ('{key.id}', 'reviews@1', 'rows', '{DAY}', 5.0, 2)"
            connection.execute(text(row))
        old.close()
    new = Database.open(url)
    assert [(t.requests, t.units, t.compute_seconds) for t in read_usage(new)] == [(2, 5, 0.0)]
    new.close()


@given(st.floats(0, 4_000_000_000), st.sampled_from(["hour", "day", "month"]))
def test_a_window_holds_its_moment_and_the_next_begins_where_it_ends(now: float, period: str) -> None:
    window = window_at(period, now)
    assert window.holds(now)
    assert window_at(period, window.ends_at).begins_at == window.ends_at
    assert window_at(period, math.nextafter(window.ends_at, 0) - 1e-5) == window
    begins = datetime.fromtimestamp(window.begins_at, UTC)
    assert window.start == begins.strftime("%Y-%m-%dT%H:00:00.000000Z")
    assert (begins.day, begins.hour)[: {"hour": 0, "day": 0, "month": 1}[period]] in ((), (1,))
    assert period == "hour" or begins.hour == 0
