"""The ledger: limits are exact however many ask at once, and what was used is in the database soon after."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, event, select

from servery.errors import NotReadyError, QuotaError, RateLimitError
from servery.gateway.ledger import Ledger, Reservation
from servery.gateway.rate_board import RateBoard
from servery.registry.bookkeeping import Bookkeeping
from servery.registry.keys import KeyRecord, Keys
from servery.registry.usage import read_usage
from servery.storage import tables
from servery.storage.database import Database

MODEL = "reviews@1"


class Clock:
    """A wall clock that can be set."""

    def __init__(self, text: str = "2026-02-28T12:00:00") -> None:
        self.set(text)

    def set(self, text: str) -> None:
        self.now = datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()

    def __call__(self) -> float:
        return self.now


class Bench:
    """A data home with keys, and ledgers on it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.database = Database.open(f"sqlite:///{home}/servery.db")
        self.keys = Keys(self.database, home / "pepper.key")
        self.clock = Clock()

    def key(self, name: str = "app", **limits: float) -> KeyRecord:
        return self.keys.create(name, ["predict"], limits=limits, actor="test")[0]

    @asynccontextmanager
    async def ledger(self, database: Database | None = None) -> AsyncIterator[Ledger]:
        board = RateBoard(self.home / "rates.board")
        ledger = Ledger(Bookkeeping(database or self.database), board, self.clock)
        try:
            yield ledger
        finally:
            await ledger.stop()

    def booked(self, name: str) -> list[int]:
        query = select(tables.quotas.c.booked).where(tables.quotas.c.name == name)
        with self.database.read() as connection:
            return list(connection.scalars(query.order_by(tables.quotas.c.window_start)))

    def used(self) -> tuple[int, int]:
        totals = read_usage(self.database)
        return sum(t.requests for t in totals), sum(t.units for t in totals)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    opened = Bench(tmp_path)
    yield opened
    opened.database.close()


async def use(ledger: Ledger, key: KeyRecord, units: int = 1, unit: str = "rows") -> None:
    (await ledger.reserve(key, MODEL, unit, units)).settle(units, 0.001)


def told(reservation: Reservation) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in reservation.headers}


async def test_a_key_without_limits_is_counted_and_never_refused(bench: Bench) -> None:
    key = bench.key()
    async with bench.ledger() as ledger:
        reservation = await ledger.reserve(key, MODEL, "rows", 10**9)
        assert reservation.headers == []
        reservation.settle(3, 0.5)
        reservation.settle(3, 0.5)
        reservation.release()
        (await ledger.reserve(key, MODEL, "rows", 5)).release()
        await ledger.flush()
        (total,) = read_usage(bench.database)
    assert (total.requests, total.units, total.compute_seconds) == (1, 3, 0.5)
    assert bench.keys.list()[0].last_used_at is not None


async def test_the_worst_case_is_held_and_what_is_not_used_comes_back(bench: Bench) -> None:
    key = bench.key(tokens_per_day=100)
    async with bench.ledger() as ledger:
        first = await ledger.reserve(key, MODEL, "tokens", 80)
        with pytest.raises(QuotaError, match="of which 20 are left"):
            await ledger.reserve(key, MODEL, "tokens", 30)
        first.settle(10, 0.1)
        second = await ledger.reserve(key, MODEL, "tokens", 90)
        second.release()
        await use(ledger, key, 90, "tokens")
        with pytest.raises(QuotaError):
            await use(ledger, key, 1, "tokens")
    assert bench.booked("tokens_per_day") == [100]
    assert bench.used() == (2, 100)


async def test_a_limit_of_another_unit_does_not_bind(bench: Bench) -> None:
    key = bench.key(tokens_per_day=0, images_per_minute=0)
    async with bench.ledger() as ledger:
        await use(ledger, key, 1000)


async def test_a_refusal_says_which_limit_its_size_and_when_it_frees(bench: Bench) -> None:
    key = bench.key(rows_per_day=10, requests_per_month=3, rows_total=1000)
    bench.clock.set("2026-02-28T23:00:00")
    async with bench.ledger() as ledger:
        await use(ledger, key, 10)
        with pytest.raises(QuotaError) as refused:
            await use(ledger, key, 1)
        assert refused.value.message == (
            "The key 'app' may use 10 rows a day, of which 0 are left; this request needs 1 "
            "until 2026-03-01T00:00:00Z."
        )
        assert refused.value.retry_after_seconds == 3600
        assert (refused.value.param, refused.value.code) == ("rows_per_day", "quota.exceeded")
        with pytest.raises(QuotaError) as refused:
            await use(ledger, key, 11)
        assert refused.value.hint == "Send requests of at most 10 rows."


async def test_a_rate_says_when_its_bucket_holds_enough(bench: Bench) -> None:
    key = bench.key(requests_per_minute=60, rows_per_minute=6000)
    async with bench.ledger() as ledger:
        for _ in range(60):
            await use(ledger, key, 10)
        with pytest.raises(RateLimitError) as refused:
            await use(ledger, key, 10)
        assert (refused.value.param, refused.value.code) == ("requests_per_minute", "rate.exceeded")
        assert refused.value.retry_after_seconds == 1
        await asyncio.sleep(1.05)
        await use(ledger, key, 10)
        with pytest.raises(RateLimitError):
            await use(ledger, key, 10)
        with pytest.raises(RateLimitError) as refused:
            await use(ledger, key, 6001)
        assert refused.value.hint in (
            "Send requests of at most 6000 rows.",
            "Wait for Retry-After, or send fewer at a time.",
        )


async def test_a_refusal_costs_nothing(bench: Bench) -> None:
    key = bench.key(requests_per_minute=1000, rows_per_minute=1000, rows_per_day=50, requests_total=1000)
    async with bench.ledger() as ledger:
        await use(ledger, key, 40)
        before = told(await ledger.reserve(key, MODEL, "rows", 0))
        for _ in range(200):
            with pytest.raises(QuotaError):
                await use(ledger, key, 11)
        after = told(await ledger.reserve(key, MODEL, "rows", 10))
        assert (
            int(before["x-ratelimit-remaining-requests"]) - int(after["x-ratelimit-remaining-requests"]) <= 1
        )
        assert after["x-ratelimit-remaining-rows"] == "0"


async def test_headers_are_openais_and_show_the_limit_that_ends_first(bench: Bench) -> None:
    key = bench.key(requests_per_minute=600, audio_seconds_per_minute=60, audio_seconds_per_day=50)
    bench.clock.set("2026-02-28T23:00:00")
    async with bench.ledger() as ledger:
        headers = told(await ledger.reserve(key, MODEL, "audio_seconds", 20))
    assert headers == {
        "x-ratelimit-limit-requests": "600",
        "x-ratelimit-remaining-requests": "599",
        "x-ratelimit-reset-requests": "100ms",
        "x-ratelimit-limit-audio-seconds": "50",
        "x-ratelimit-remaining-audio-seconds": "30",
        "x-ratelimit-reset-audio-seconds": "1h0m0s",
    }


async def test_windows_follow_the_calendar_in_utc_and_a_clock_set_back_frees_nothing(bench: Bench) -> None:
    key = bench.key(rows_per_day=10, rows_per_month=15)
    async with bench.ledger() as ledger:
        bench.clock.set("2026-02-28T23:59:59.9")
        await use(ledger, key, 10)
        late = await ledger.reserve(key, MODEL, "rows", 0)
        bench.clock.set("2026-03-01T00:00:00")
        await use(ledger, key, 10)
        with pytest.raises(QuotaError):
            await use(ledger, key, 1)
        for moment in ("2026-02-28T23:00:00", "2026-03-01T23:59:59.999999"):
            bench.clock.set(moment)
            with pytest.raises(QuotaError):
                await use(ledger, key, 1)
        bench.clock.set("2026-03-02T00:00:00")
        await use(ledger, key, 5)
        with pytest.raises(QuotaError, match="15 rows a month"):
            await use(ledger, key, 1)
        late.settle(0, 0.0)
    assert bench.booked("rows_per_day") == [10, 10, 5]
    assert bench.booked("rows_per_month") == [10, 15]
    by_hour = [(t.start, t.units) for t in read_usage(bench.database, ["hour"])]
    assert by_hour == [("2026-02-28T23", 10), ("2026-03-01T00", 10), ("2026-03-02T00", 5)]


async def test_changed_limits_hold_at_once_and_what_was_used_still_counts(bench: Bench) -> None:
    key = bench.key(rows_per_day=10, requests_per_minute=5)
    async with bench.ledger() as ledger:
        await use(ledger, key, 10)
        key = bench.keys.limit("app", {"rows_per_day": 15}, actor="test")
        await use(ledger, key, 5)
        key = bench.keys.limit("app", {"rows_per_day": 12}, actor="test")
        with pytest.raises(QuotaError, match="of which 0 are left"):
            await use(ledger, key, 1)
        key = bench.keys.limit("app", {"rows_per_day": None}, actor="test")
        for _ in range(3):
            await use(ledger, key, 1000)
        with pytest.raises(RateLimitError):
            await use(ledger, key, 1)
        key = bench.keys.limit("app", {"requests_per_minute": None}, actor="test")
        await use(ledger, key, 1)


async def test_a_limit_that_is_new_counts_what_was_used_before(bench: Bench) -> None:
    key = bench.key()
    async with bench.ledger() as ledger:
        await use(ledger, key, 70)
        key = bench.keys.limit("app", {"rows_per_day": 100}, actor="test")
        with pytest.raises(QuotaError, match="of which 30 are left"):
            await use(ledger, key, 31)
        await use(ledger, key, 30)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    wishes=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.booleans()), min_size=64, max_size=64),
    day=st.integers(0, 300),
    total=st.integers(0, 300),
    requests=st.integers(0, 64),
    rate=st.integers(1, 300),
    ledgers=st.integers(1, 3),
)
async def test_sixty_four_at_once_never_get_more_than_there_is(
    bench: Bench,
    wishes: list[tuple[int, int, bool]],
    day: int,
    total: int,
    requests: int,
    rate: int,
    ledgers: int,
) -> None:
    name = f"key{time.monotonic_ns()}"
    key = bench.key(name, rows_per_day=day, rows_total=total, requests_per_day=requests, rows_per_minute=rate)
    before = bench.used()
    held = highest = used = answered = 0
    started = time.monotonic()

    async def ask(ledger: Ledger, most: int, really: int, is_answered: bool) -> None:
        nonlocal held, highest, used, answered
        try:
            reservation = await ledger.reserve(key, MODEL, "rows", most)
        except QuotaError:
            return
        held += most
        highest = max(highest, held + used)
        await asyncio.sleep(0)
        held -= most
        if is_answered:
            used += min(most, really)
            answered += 1
            reservation.settle(min(most, really), 0.001)
        else:
            reservation.release()

    async with bench.ledger() as first, bench.ledger() as second, bench.ledger() as third:
        several = [first, second, third][:ledgers]
        await asyncio.gather(*(ask(several[n % ledgers], *wish) for n, wish in enumerate(wishes)))
        refilled = (time.monotonic() - started) * rate / 60
        assert highest <= min(day, total)
        assert used <= rate + refilled + ledgers * rate / 60 * 0.02 + 1e-6
        assert answered <= requests
    assert bench.used() == (before[0] + answered, before[1] + used)
    # After a clean stop exactly what was used is booked: nothing is lost to a block.
    with bench.database.read() as connection:
        query = select(tables.quotas.c.name, tables.quotas.c.booked).where(tables.quotas.c.key_id == key.id)
        booked = dict(connection.execute(query).all())
    expected = {"rows_per_day": used, "rows_total": used, "requests_per_day": answered}
    assert booked == {name: expected[name] for name in booked}


async def test_a_quota_can_be_used_to_its_last_row_by_several_servers(bench: Bench) -> None:
    key = bench.key(rows_per_day=500)
    got = 0

    async def ask(ledger: Ledger) -> None:
        nonlocal got
        end = time.monotonic() + 20
        while time.monotonic() < end and got < 500:
            try:
                await use(ledger, key, 1)
                got += 1
            except QuotaError:
                await asyncio.sleep(0.05)
            await asyncio.sleep(0)

    async with bench.ledger() as first, bench.ledger() as second, bench.ledger() as third:
        await asyncio.gather(*(ask(ledger) for ledger in (first, second, third) for _ in range(4)))
        assert got == 500
        with pytest.raises(QuotaError):
            await use(second, key, 1)
    assert bench.used() == (500, 500)


async def test_a_locked_database_loses_nothing_and_counts_nothing_twice(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("servery.gateway.bookkeeper.PATIENCE_SECONDS", 0.5)
    free = bench.key("free")
    bound = bench.key("bound", rows_per_day=1000)
    async with bench.ledger() as ledger:
        await use(ledger, bound, 1)
        await ledger.flush()
        lock = sqlite3.connect(bench.home / "servery.db", isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        for _ in range(100):
            await use(ledger, free, 2)
        with pytest.raises(NotReadyError, match="Quotas cannot be checked"):
            await use(ledger, bound, 900)
        assert bench.used() == (1, 1)
        lock.execute("ROLLBACK")
        lock.close()
        await ledger.flush()
        assert bench.used() == (101, 201)
    assert bench.used() == (101, 201)
    assert bench.booked("rows_per_day") == [1]


async def test_a_full_disk_loses_nothing_and_counts_nothing_twice(bench: Bench) -> None:
    key, bound = bench.key("free"), bench.key("bound", rows_per_day=1000)
    pages = 10**6

    def limited(connection: Connection) -> None:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")

    event.listen(bench.database._writing, "begin", limited)
    async with bench.ledger() as ledger:
        await use(ledger, key)
        await ledger.flush()
        pages = 1  # as many as there are: not one more
        for number in range(2000):
            (await ledger.reserve(key, f"model-{number}@1", "rows", 1)).settle(1, 0.001)
        await asyncio.sleep(1.0)
        for _ in range(2):
            with pytest.raises(NotReadyError):
                await use(ledger, bound)
        for _ in range(5):
            await use(ledger, key)
        assert bench.used() == (1, 1)
        pages = 10**6
        await asyncio.sleep(0.6)
        await use(ledger, bound)
        await ledger.flush()
        assert bench.used() == (2007, 2007)
    assert bench.booked("rows_per_day") == [1]


async def test_usage_is_in_the_database_within_a_second(bench: Bench) -> None:
    key = bench.key()
    async with bench.ledger() as ledger:
        await use(ledger, key, 7)
        started = time.monotonic()
        while bench.used() != (1, 7):
            assert time.monotonic() - started < 5
            await asyncio.sleep(0.02)
        assert time.monotonic() - started < 1.0


async def test_an_idle_server_writes_nothing_and_holds_nothing(bench: Bench) -> None:
    key = bench.key(rows_per_day=100_000)
    async with bench.ledger() as ledger:
        for _ in range(300):
            await use(ledger, key, 3)
            await asyncio.sleep(0.001)
        end = time.monotonic() + 15
        while bench.booked("rows_per_day") != [900]:
            assert time.monotonic() < end, bench.booked("rows_per_day")
            await asyncio.sleep(0.1)
        version = _data_version(bench)
        await asyncio.sleep(1.0)
        assert _data_version(bench) == version


def _data_version(bench: Bench) -> str:
    with bench.database.read() as connection:
        return str(connection.scalar(select(tables.ledgers.c.sequence)))


WORKER = """
import asyncio, json, sys, time
from pathlib import Path
from servery.errors import QuotaError
from servery.gateway.ledger import Ledger
from servery.registry.keys import Keys
from servery.storage.database import Database

async def main(home, seconds, units):
    database = Database.open(f"sqlite:///{home}/servery.db")
    (key,) = Keys(database, home / "pepper.key").list()
    ledger = Ledger.open(database, home)
    counts = {"requests": 0, "units": 0, "refused": 0}
    print("ready", flush=True)
    sys.stdin.readline()
    end = time.monotonic() + seconds

    async def ask():
        while time.monotonic() < end:
            try:
                reservation = await ledger.reserve(key, "reviews@1", "rows", units)
                await asyncio.sleep(0)
                reservation.settle(units - 1, 0.001)
                counts["requests"] += 1
                counts["units"] += units - 1
                if counts["requests"] % 100 == 0:
                    print(json.dumps(counts), flush=True)
            except QuotaError:
                counts["refused"] += 1
                await asyncio.sleep(0.01)

    await asyncio.gather(*(ask() for _ in range(64)))
    await ledger.stop()
    print(json.dumps(counts), flush=True)

asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])))
"""


def start_workers(home: Path, count: int, seconds: float, units: int) -> list[subprocess.Popen[str]]:
    command = [sys.executable, "-W", "error", "-c", WORKER, str(home), str(seconds), str(units)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    workers = [subprocess.Popen(command, **pipes) for _ in range(count)]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    return workers


def counted(worker: subprocess.Popen[str]) -> dict[str, int]:
    out = worker.communicate(timeout=60)[0].splitlines()
    found: dict[str, int] = json.loads(out[-1]) if out else {"requests": 0, "units": 0, "refused": 0}
    return found


def test_several_processes_share_one_rate(bench: Bench) -> None:
    rate, seconds = 6000, 3.0
    bench.key(rows_per_minute=rate)
    started = time.monotonic()
    counts = [counted(worker) for worker in start_workers(bench.home, 3, seconds, 4)]
    assert time.monotonic() - started < 30
    used = sum(count["units"] for count in counts)
    refill = rate / 60
    # At most a full bucket, what flowed in meanwhile, and a fiftieth of a second's worth in each one's hand.
    assert used <= rate + refill * (seconds + 0.5) + 3 * refill * 0.02
    assert used >= rate + refill * (seconds - 1.0)
    assert all(count["refused"] for count in counts)


def test_several_processes_under_one_quota_use_it_up_and_not_more(bench: Bench) -> None:
    bench.key(rows_per_day=20_000, requests_total=10**9)
    counts = [counted(worker) for worker in start_workers(bench.home, 3, 2.5, 5)]
    used = sum(count["units"] for count in counts)
    assert used <= 20_000
    assert used > 20_000 - 64 * 3 * 5
    assert bench.used() == (sum(count["requests"] for count in counts), used)
    assert bench.booked("rows_per_day") == [used]
    assert bench.booked("requests_total") == [sum(count["requests"] for count in counts)]


def test_processes_killed_at_work_never_overrun_a_quota(bench: Bench) -> None:
    bench.key(rows_per_day=30_000)
    reported = 0
    for _ in range(3):
        workers = start_workers(bench.home, 2, 30.0, 5)
        time.sleep(0.4)
        for worker in workers:
            worker.kill()
        reported += sum(counted(worker)["units"] for worker in workers)
        assert bench.used()[1] <= bench.booked("rows_per_day")[0] <= 30_000
    # What each one printed was used; the database, of which a second may be missing, booked it beforehand.
    assert reported <= bench.booked("rows_per_day")[0]
    counts = [counted(worker) for worker in start_workers(bench.home, 2, 1.5, 5)]
    assert bench.used()[1] <= bench.booked("rows_per_day")[0] <= 30_000
    assert reported + sum(count["units"] for count in counts) <= 30_000
