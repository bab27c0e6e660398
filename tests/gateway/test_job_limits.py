"""A job asks as its key would: within its limits, and only for as long as the key may."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from servery.client import Client
from servery.errors import NotFoundError, QuotaError, UnauthenticatedError

Call = Callable[..., httpx.Response]


def texts(rows: int) -> list[str]:
    return [f"great fun {i}" for i in range(rows)]


def test_a_job_whose_quota_is_used_up_fails_clearly_and_goes_on_with_more(server: Any, home: Any) -> None:
    key = home.key("hundred", "predict", limits={"rows_total": 100})
    with Client(server.url, api_key=key) as client:
        job = client.jobs.wait(client.jobs.create("reviews", texts(150)).id, timeout_seconds=20)
        assert (job.state, job.error and job.error.code) == ("failed", "quota.exceeded")
        assert job.rows_done == 100
        home.keys.limit("hundred", {"rows_total": 1000}, actor="test")
        time.sleep(1.0)
        client.jobs.resume(job.id)
        done = client.jobs.wait(job.id, timeout_seconds=20)
        assert (done.state, done.rows_done, done.usage["rows"]) == ("succeeded", 150, 150)
        assert [row["line"] for row in client.jobs.results(job.id)] == list(range(1, 151))
        with pytest.raises(QuotaError):
            client.predict("reviews", texts(900))


def test_a_job_over_a_limit_per_minute_waits_and_says_what_for(server: Any, home: Any) -> None:
    key = home.key("slowly", "predict", limits={"rows_per_minute": 60})
    with Client(server.url, api_key=key) as client:
        job = client.jobs.create("reviews", texts(64)).id
        done = client.jobs.wait(job, timeout_seconds=30)
        assert (done.state, done.rows_done) == ("succeeded", 64)


def test_a_revoked_key_ends_its_job(server: Any, home: Any) -> None:
    key = home.key("short-lived", "predict:drill", "admin")
    with Client(server.url, api_key=key) as client:
        job = client.jobs.create("drill", [f"sleep=0.1 {i}" for i in range(400)]).id
        while not client.jobs.get(job).rows_done:
            time.sleep(0.02)
        home.keys.revoke("short-lived", actor="test")
        time.sleep(0.5)
        with pytest.raises(UnauthenticatedError):
            client.jobs.get(job)
    with Client(server.url, api_key=home.secrets["root"]) as root:
        ended = root.jobs.wait(job, timeout_seconds=20)
        assert (ended.state, ended.error and ended.error.code) == ("failed", "access.key_missing")
        assert 0 < ended.rows_done < 400
        root.jobs.remove(job)
        with pytest.raises(NotFoundError):
            root.jobs.get(job)


def test_what_a_job_used_is_on_its_keys_bill(server: Any, home: Any, call: Call) -> None:
    key = home.key("billed", "predict")
    with Client(server.url, api_key=key) as client:
        job = client.jobs.wait(client.jobs.create("reviews", [*texts(70), 7]).id, timeout_seconds=20)
        assert job.usage["rows"] == 70
    time.sleep(1.0)
    usage = call("GET", "/admin/v1/usage").json()["data"]
    assert sum(entry["units"] for entry in usage if entry["key"] == job.key) == 70
