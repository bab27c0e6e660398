"""The queue of jobs: taken by one at a time, kept by a lease, fair between keys, emptied when its time is over."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from servery.errors import ConflictError, NotFoundError, QuotaError, TooSlowError
from servery.registry.keys import Keys
from servery.serving.jobs.deliveries import MOST_ATTEMPTS, Deliveries
from servery.serving.jobs.files import ABANDONED_SECONDS, JobFiles
from servery.serving.jobs.job import Job, NewJob, Progress, State, Webhook
from servery.serving.jobs.runner import sweep
from servery.serving.jobs.store import JobStore
from servery.storage.database import Database

DONE = Progress(rows_done=3, rows_failed=1, output_bytes=30, units=2, compute_seconds=0.5)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database.open(f"sqlite:///{tmp_path / 'servery.db'}")
    yield database
    database.close()


@pytest.fixture
def keys(database: Database, tmp_path: Path) -> list[str]:
    made = Keys(database, tmp_path / "pepper.key")
    return [made.create(name, ["predict"], actor="test")[0].id for name in ("one", "two")]


def store_of(database: Database, lease: float = 10.0, retention: float = 60.0, most: int = 100) -> JobStore:
    return JobStore(database, lease, timedelta(seconds=retention), most)


def new(key: str, job_id: str, **more: object) -> NewJob:
    job = NewJob(job_id, key, "reviews", "reviews@1", "classification", {}, "jsonl", "digest")
    return replace(job, **more)  # type: ignore[arg-type]


def add(store: JobStore, key: str, job_id: str, **more: object) -> Job:
    return store.add(new(key, job_id, **more), f"token-{key[-4:]}-{job_id}")[0]


def test_each_job_is_taken_once_however_many_ask(database: Database, keys: list[str]) -> None:
    store = store_of(database)
    for i in range(20):
        add(store, keys[0], f"job-{i}")
    taken: list[str] = []

    def take() -> None:
        while (job := store.claim()) is not None:
            taken.append(job.id)

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == sorted(f"job-{i}" for i in range(20))


def test_a_key_with_many_jobs_does_not_hold_up_another(database: Database, keys: list[str]) -> None:
    store = store_of(database)
    for i in range(3):
        add(store, keys[0], f"many-{i}")
    add(store, keys[1], "single")
    claimed = [store.claim() for _ in range(4)]
    assert [job and job.id for job in claimed] == ["many-0", "single", "many-1", "many-2"]


def test_a_lease_that_ended_lets_another_in_and_shuts_the_first_one_out(
    database: Database, keys: list[str]
) -> None:
    store = store_of(database, lease=1.0)
    add(store, keys[0], "job")
    first = store.claim()
    assert first is not None
    assert store.claim() is None
    assert store.advance(first, DONE)
    time.sleep(0.6)
    assert store.renew(first)
    time.sleep(0.6)
    assert store.claim() is None
    time.sleep(0.6)
    second = store.claim()
    assert second is not None
    assert (second.rows_done, second.runs) == (3, 2)
    assert not store.renew(first)
    assert not store.advance(first, replace(DONE, rows_done=9))
    assert store.finish(first, State.SUCCEEDED) is None
    store.put_back(first)
    ended = store.finish(second, State.SUCCEEDED)
    assert ended is not None
    assert (ended.state, ended.rows_done, ended.rows_total) == (State.SUCCEEDED, 3, 3)


def test_a_job_that_was_put_back_waits_its_time_and_says_what_for(
    database: Database, keys: list[str]
) -> None:
    store = store_of(database)
    add(store, keys[0], "job")
    job = store.claim()
    assert job is not None
    store.put_back(job, 0.3, TooSlowError("nothing comes"))
    waiting = store.find("job", keys[0])
    assert (waiting.state, waiting.error and waiting.error["message"]) == (State.QUEUED, "nothing comes")
    assert store.claim() is None
    time.sleep(0.35)
    again = store.claim()
    assert again is not None
    assert again.error is None


def test_cancelled_and_removed_jobs_are_lost_to_whoever_runs_them(
    database: Database, keys: list[str]
) -> None:
    store = store_of(database)
    for name in ("cancelled", "removed"):
        add(store, keys[0], name)
        job = store.claim()
        assert job is not None
        if name == "cancelled":
            assert store.cancel(job.token).state is State.CANCELLED
        else:
            store.remove(job.token)
        assert not store.advance(job, DONE)
    with pytest.raises(NotFoundError):
        store.find("removed", keys[0])
    assert store.resume(store.find("cancelled", keys[0]).token).state is State.QUEUED


def test_ids_are_each_keys_own(database: Database, keys: list[str]) -> None:
    store = store_of(database)
    add(store, keys[0], "same", idempotency_key="k")
    add(store, keys[1], "same", idempotency_key="k", model="loans@1", asked="loans")
    assert store.find("same", keys[0]).model == "reviews@1"
    assert store.find("same", keys[1]).model == "loans@1"
    assert store.find("same", keys[1], sees_all=True).model == "loans@1"
    add(store, keys[0], "mine")
    with pytest.raises(NotFoundError):
        store.find("mine", keys[1])
    assert store.find("mine", keys[1], sees_all=True).key_id == keys[0]
    again, is_new = store.add(new(keys[0], "other-id", idempotency_key="k"), "token")
    assert (again.id, is_new) == ("same", False)
    for changed in ({"parameters": {"top_k": 1}}, {"input_digest": "other"}, {"id_column": "key"}):
        with pytest.raises(ConflictError, match="asks for something else"):
            store.add(new(keys[0], "same", **changed), "token")


def test_a_secret_made_by_the_server_is_no_part_of_what_was_asked(keys: list[str]) -> None:
    def asked(secret: str, own: bool) -> str:
        webhook = Webhook("https://example.com/", ("job.failed",), secret)
        return new(keys[0], "job", webhook=webhook, own_secret=own).request_hash()

    assert asked("a" * 24, False) == asked("b" * 24, False)
    assert asked("a" * 24, True) != asked("b" * 24, True)


def test_a_key_has_only_so_many_unfinished_jobs(database: Database, keys: list[str]) -> None:
    store = store_of(database, most=2)
    for i in range(2):
        add(store, keys[0], f"job-{i}")
    with pytest.raises(QuotaError) as refused:
        add(store, keys[0], "job-2")
    assert refused.value.retry_after_seconds
    add(store, keys[1], "job-2")
    store.cancel(store.find("job-0", keys[0]).token)
    add(store, keys[0], "job-2")


def test_jobs_whose_time_is_over_and_uploads_that_died_are_removed(
    database: Database, keys: list[str], tmp_path: Path
) -> None:
    store, files = store_of(database, retention=0.1), JobFiles(tmp_path / "jobs")
    tokens = [files.stage() for _ in range(4)]
    for name, token in zip(("over", "running"), tokens, strict=False):
        store.add(new(keys[0], name), token)
    over = store.claim()
    assert over is not None
    store.finish(over, State.FAILED)
    old = time.time() - ABANDONED_SECONDS - 1
    os.utime(tmp_path / "jobs" / tokens[2], (old, old))
    time.sleep(0.6)
    assert sweep(store, files) == 2
    assert {path.name for path in (tmp_path / "jobs").iterdir()} == {tokens[1], tokens[3]}
    assert [job.id for job in store.list(None, 9)] == ["running"]


def test_messages_are_sent_by_one_and_given_up_after_many_attempts(
    database: Database, keys: list[str]
) -> None:
    store, deliveries = store_of(database), Deliveries(database, retry_seconds=1e-6)
    add(store, keys[0], "job", webhook=Webhook("https://example.com/", ("job.cancelled",), "x" * 24))
    store.cancel(store.find("job", keys[0]).token)
    ids = set()
    for attempt in range(1, MOST_ATTEMPTS + 1):
        (delivery,) = deliveries.take(10)
        assert deliveries.take(10) == []
        assert delivery.attempts == attempt
        ids.add(delivery.id)
        deliveries.failed(delivery, "it answered 500")
        time.sleep(0.3 if attempt == MOST_ATTEMPTS - 1 else 0.002 if attempt < 7 else 0.1)
    assert deliveries.take(10) == []
    assert len(ids) == 1
