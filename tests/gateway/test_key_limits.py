"""Limits and usage through a real server: over HTTP, in several workers, and when the server is killed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import psutil
import pytest
from openai import OpenAI
from openai import RateLimitError as OpenAIRateLimitError
from sqlalchemy import select

from servery.client import Client
from servery.errors import ForbiddenError, QuotaError, RateLimitError
from servery.registry.audit import read_audit
from servery.registry.usage import read_usage
from servery.storage import tables

Call = Callable[..., httpx.Response]
BODY = {"inputs": ["a", "b"]}


@pytest.fixture
def made(call: Call) -> Callable[..., dict[str, Any]]:
    def make(name: str, **limits: float) -> dict[str, Any]:
        body = {"name": name, "scopes": ["predict"], "limits": limits}
        answer = call("POST", "/admin/v1/keys", json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    return make


def ask(call: Call, key: dict[str, Any], body: Any = BODY) -> httpx.Response:
    return call(
        "POST", "/v1/models/reviews/predict", key=None, json=body, headers={"x-api-key": key["secret"]}
    )


def test_a_rate_is_told_in_the_headers_and_refused_with_retry_after(call: Call, made: Any) -> None:
    key = made("rated", requests_per_minute=3, rows_per_minute=1000)
    left = [ask(call, key).headers for _ in range(3)]
    assert [headers["x-ratelimit-remaining-requests"] for headers in left] == ["2", "1", "0"]
    assert {headers["x-ratelimit-limit-requests"] for headers in left} == {"3"}
    assert left[0]["x-ratelimit-remaining-rows"] == "998"
    assert left[0]["x-ratelimit-reset-requests"].endswith("s")
    refused = ask(call, key)
    assert refused.status_code == 429
    assert 1 <= int(refused.headers["retry-after"]) <= 20
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"
    error = refused.json()["error"]
    assert (error["code"], error["type"], error["param"]) == (
        "rate.exceeded",
        "rate_limit_error",
        "requests_per_minute",
    )
    assert "3 requests a minute" in error["message"]


def test_a_key_without_limits_gets_no_such_headers(call: Call) -> None:
    answer = call("POST", "/v1/models/reviews/predict", json=BODY)
    assert answer.status_code == 200
    assert not any(name.startswith("x-ratelimit") for name in answer.headers)


def test_limits_change_while_the_server_runs_and_are_audited(call: Call, made: Any, home: Any) -> None:
    key = made("changed", rows_per_day=3)
    path = f"/admin/v1/keys/{key['id']}/limits"
    assert ask(call, key).status_code == 200
    refused = ask(call, key)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "quota.exceeded")
    answer = call("PUT", path, json={"limits": {"rows_per_day": 10, "weight": 2.5}})
    assert answer.json()["limits"] == {"rows_per_day": 10, "weight": 2.5}
    assert ask(call, key).status_code == 200
    call("PUT", path, json={"limits": {"rows_per_day": None}})
    for _ in range(5):
        assert ask(call, key).status_code == 200
    home.keys.limit(key["id"], {"requests_total": 0}, actor="elsewhere")
    end = time.monotonic() + 5
    while ask(call, key).status_code != 429:
        assert time.monotonic() < end
        time.sleep(0.05)
    by = [entry.actor for entry in read_audit(home.database) if entry.subject == "key:changed"]
    assert by == ["elsewhere", "key:root", "key:root", "key:root"]
    listed = {k["id"]: k for k in call("GET", "/admin/v1/keys").json()["data"]}[key["id"]]
    assert listed["limits"] == {"weight": 2.5, "requests_total": 0}
    assert listed["last_used_at"]


@pytest.mark.parametrize(
    "limits",
    [
        {"row_per_day": 1},
        {"rows_per_day": -1},
        {"rows_per_day": 0.5},
        {"rows_per_day": "1"},
        {"weight": 0},
        {"x": None},
        [],
    ],
)
def test_limits_that_cannot_be_are_refused(call: Call, limits: Any) -> None:
    answer = call("PUT", "/admin/v1/keys/nobody/limits", json={"limits": limits})
    assert answer.status_code in (404, 422)
    assert answer.json()["error"]["code"] in ("input.invalid", "name.unknown")


def test_a_key_may_not_raise_its_own_limits_or_see_usage(call: Call) -> None:
    for method, path in (("PUT", "/admin/v1/keys/app/limits"), ("GET", "/admin/v1/usage")):
        body = {"limits": {"weight": 9}} if method == "PUT" else None
        assert call(method, path, key="app", json=body).status_code == 403


def test_usage_is_exact_at_once_and_told_apart_as_asked(
    call: Call, made: Any, home: Any, server: Any
) -> None:
    key = made("metered-well")
    for _ in range(3):
        ask(call, key)
    with Client(server.url, api_key=home.secrets["root"]) as client:
        (entry,) = client.usage(key="metered-well", group="key,model,day", since="24h")
        assert (entry.key, entry.name, entry.model) == (key["id"], "metered-well", "reviews@1")
        assert (entry.unit, entry.requests, entry.units) == ("rows", 3, 6)
        assert entry.compute_seconds > 0
        assert entry.start == time.strftime("%Y-%m-%d", time.gmtime())
        assert client.usage(key="metered-well", until="24h") == []
    for query in ("group=color", "since=never", "since=2026-01-01&since=2026-01-02", "nobody=1"):
        assert call("GET", f"/admin/v1/usage?{query}").status_code in (400, 422)
    with Client(server.url, api_key=home.secrets["app"]) as client, pytest.raises(ForbiddenError):
        client.usage()


def test_clients_read_the_refusals_as_their_own_errors(call: Call, made: Any, server: Any) -> None:
    rated, spent = made("rated-client", requests_per_minute=0), made("spent-client", rows_total=1)
    with Client(server.url, api_key=rated["secret"], retries=0) as client, pytest.raises(RateLimitError):
        client.predict("reviews", "a")
    with Client(server.url, api_key=spent["secret"], retries=5) as client:
        client.predict("reviews", "a")
        started = time.monotonic()
        with pytest.raises(QuotaError) as refused:
            client.predict("reviews", "a")
        assert time.monotonic() - started < 2  # it does not wait for what will not come
    assert (refused.value.code, refused.value.retry_after_seconds) == ("quota.exceeded", 86400)
    other = OpenAI(base_url=f"{server.url}/v1", api_key=rated["secret"], max_retries=0)
    with pytest.raises(OpenAIRateLimitError) as raised:
        other.moderations.create(input="a", model="unwanted")
    assert raised.value.code == "rate_limit_exceeded"
    other.close()


@pytest.fixture
def own_home(house: ModuleType, tmp_path: Path) -> Iterator[Any]:
    with house.open_home(tmp_path / "home") as home:
        home.register("reviews", house.reviews(), "production")
        home.key("root", "admin")
        yield home


class Load:
    """Clients that ask as fast as they can, and count what they were answered."""

    def __init__(self, url: str, secret: str, clients: int = 6) -> None:
        self.url = url
        self.headers = {"authorization": f"Bearer {secret}"}
        self.answered_at: list[float] = []
        self.refused = 0
        self.in_flight = 0
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]

    def _ask(self) -> None:
        with httpx.Client(base_url=self.url, headers=self.headers, timeout=20) as client:
            while not self._is_over.is_set():
                try:
                    answer = client.post("/v1/models/reviews/predict", json=BODY)
                except httpx.TransportError:
                    self.in_flight += 1
                    return
                if answer.status_code == 200:
                    self.answered_at.append(time.monotonic())
                else:
                    # Where the disk is very slow, a quota cannot be booked in time.
                    assert answer.status_code == 429 or "server.not_ready" in answer.text, answer.text
                    self.refused += 1
                    time.sleep(0.02)

    @contextmanager
    def running(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            for thread in self._threads:
                thread.join()


def recorded(home: Any) -> int:
    return sum(total.requests for total in read_usage(home.database))


def booked(home: Any) -> int:
    with home.database.read() as connection:
        return int(connection.scalar(select(tables.quotas.c.booked)))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_kill_loses_at_most_the_usage_of_a_second_and_overruns_no_quota(
    house: ModuleType, own_home: Any, workers: int
) -> None:
    secret = own_home.key("busy", "predict", limits={"rows_per_day": 10**9, "requests_per_minute": 10**6})
    server = house.ServerProcess(own_home.folder, {"SERVERY_WORKERS": str(workers)})
    server.wait_until_ready()
    load = Load(server.url, secret)
    with load.running():
        time.sleep(2.5)
        family = [server.process, *psutil.Process(server.process.pid).children(recursive=True)]
        for process in family:
            process.kill()
        killed_at = time.monotonic()
    server.stop()
    answered = len(load.answered_at)
    assert answered > 20
    in_last_second = sum(moment > killed_at - 1.0 for moment in load.answered_at)
    assert answered - recorded(own_home) <= in_last_second
    assert recorded(own_home) <= answered + load.in_flight
    assert booked(own_home) >= 2 * answered


def test_a_clean_stop_loses_nothing(house: ModuleType, own_home: Any) -> None:
    secret = own_home.key("busy", "predict", limits={"rows_per_day": 10**9})
    server = house.ServerProcess(own_home.folder)
    server.wait_until_ready()
    load = Load(server.url, secret)
    with load.running():
        time.sleep(1.0)
    assert server.stop() == 0
    assert len(load.answered_at) > 5
    assert recorded(own_home) == len(load.answered_at)
    assert booked(own_home) == 2 * recorded(own_home)


def test_two_workers_keep_one_rate_and_one_quota(house: ModuleType, own_home: Any) -> None:
    rated = own_home.key("rated", "predict", limits={"requests_per_minute": 600})
    bound = own_home.key("bound", "predict", limits={"rows_per_day": 700})
    server = house.ServerProcess(own_home.folder, {"SERVERY_WORKERS": "2"})
    server.wait_until_ready()
    one, two = Load(server.url, rated), Load(server.url, bound)
    started = time.monotonic()
    with one.running(), two.running():
        # A worker may keep the last row or two in its hand for a while.
        while len(two.answered_at) < 346 or not (one.refused and two.refused):
            assert time.monotonic() - started < 30
            time.sleep(0.05)
        time.sleep(1.0)
    passed = time.monotonic() - started
    assert server.stop() == 0
    assert len(one.answered_at) <= 600 + 10 * passed + 2
    assert 346 <= len(two.answered_at) <= 350
    assert recorded(own_home) == len(one.answered_at) + len(two.answered_at)
