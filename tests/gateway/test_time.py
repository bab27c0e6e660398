"""Deadlines, clients that leave, overload, poison among neighbours, swaps and stops: nothing is lost."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

Call = Callable[..., httpx.Response]


def drill_counts(call: Call) -> dict[str, Any]:
    rows = call("GET", "/admin/v1/status").json()["replicas"]
    return next(row for row in rows if row["reference"] == "drill@1")


@pytest.fixture
def client(server: Any, home: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=server.url,
        headers={"authorization": f"Bearer {home.secrets['root']}"},
        timeout=20,
        limits=httpx.Limits(max_connections=100),
    )


def asking(text: str, **more: Any) -> dict[str, Any]:
    return {"url": "/v1/models/drill/predict", "json": {"inputs": text}, **more}


def test_a_deadline_is_kept(predict: Call) -> None:
    started = time.monotonic()
    answer = predict("drill", "sleep=1.0", {"x-deadline-ms": "200"})
    assert answer.status_code == 504
    assert answer.json()["error"]["code"] == "request.deadline"
    assert 0.19 < time.monotonic() - started < 0.6


async def test_a_request_whose_deadline_passes_in_the_queue_costs_no_computing(
    client: httpx.AsyncClient, call: Call
) -> None:
    async with client:
        await client.post(**asking("whatever ran before is over now"))
        before = drill_counts(call)["rows"]
        busy = asyncio.create_task(client.post(**asking("sleep=0.6")))
        await asyncio.sleep(0.2)
        late = await asyncio.gather(
            *(client.post(**asking(f"late {i}", headers={"x-deadline-ms": "50"})) for i in range(5))
        )
        # 503 where the model's pace is known: then what would be late is refused at once.
        assert {answer.status_code for answer in late} <= {503, 504}
        assert (await busy).status_code == 200
        assert drill_counts(call)["rows"] - before == 1


async def test_the_work_of_a_client_that_leaves_is_dropped(
    client: httpx.AsyncClient, call: Call, server: Any, home: Any
) -> None:
    async with client:
        await client.post(**asking("whatever ran before is over now"))
        before = drill_counts(call)["rows"]
        busy = asyncio.create_task(client.post(**asking("sleep=0.8")))
        await asyncio.sleep(0.2)
        body = b'{"inputs": "left behind"}'
        for _ in range(5):
            with socket.create_connection(("127.0.0.1", server.port)) as leaver:
                leaver.sendall(
                    b"POST /v1/models/drill/predict HTTP/1.1\r\nHost: localhost\r\n"
                    + f"Authorization: Bearer {home.secrets['root']}\r\n".encode()
                    + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
                )
                await asyncio.sleep(0.03)
        await asyncio.sleep(0.1)
        assert drill_counts(call)["queue_rows"] == 0
        assert (await busy).status_code == 200
        assert drill_counts(call)["rows"] - before == 1


async def test_overload_is_refused_at_once_with_retry_after(client: httpx.AsyncClient, call: Call) -> None:
    async with client:
        busy = asyncio.create_task(client.post(**asking("sleep=0.8")))
        await asyncio.sleep(0.2)
        many = {"url": "/v1/models/drill/predict", "json": {"inputs": ["x"] * 30}}
        waiting = [asyncio.create_task(client.post(**many)) for _ in range(2)]
        await asyncio.sleep(0.1)
        started = time.monotonic()
        refused = await client.post(**many)
        assert time.monotonic() - started < 0.3
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "server.overloaded"
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert (await client.get("/livez")).status_code == 200
        assert {answer.status_code for answer in await asyncio.gather(busy, *waiting)} == {200}


async def test_poison_hurts_nobody_else_and_neighbours_get_the_same_bits(client: httpx.AsyncClient) -> None:
    texts = [f"neighbour number {i}" for i in range(12)]
    async with client:
        alone = [(await client.post(**asking(text))).json()["outputs"] for text in texts]
        busy = asyncio.create_task(client.post(**asking("sleep=0.4")))
        await asyncio.sleep(0.1)
        tasks = [asyncio.create_task(client.post(**asking(text))) for text in texts]
        bad = [asyncio.create_task(client.post(**asking(text))) for text in ("some poison", "a nan please")]
        answers = await asyncio.gather(*tasks)
        assert [answer.json()["outputs"] for answer in answers] == alone
        assert [(await task).json()["error"]["code"] for task in bad] == ["internal", "model.non_finite"]
        await busy


async def test_hot_swaps_under_load_fail_no_request(client: httpx.AsyncClient, house: ModuleType) -> None:
    best = {"reviews@1": "positive", "reviews@2": "negative"}
    seen: set[str] = set()
    failures: list[Any] = []
    is_over = asyncio.Event()
    count = 0

    async def load() -> None:
        nonlocal count
        while not is_over.is_set():
            answer = await client.post("/v1/models/reviews/predict", json={"inputs": house.GOOD})
            count += 1
            told = answer.json()
            if answer.status_code != 200 or told["outputs"][0]["label"] != best[told["model"]]:
                failures.append(told)
            seen.add(told.get("model", ""))

    async with client:
        load_tasks = [asyncio.create_task(load()) for _ in range(8)]
        for turn in range(12):
            moved = await client.put(
                "/admin/v1/models/reviews/aliases/production", json={"version": turn % 2 + 1}
            )
            assert moved.status_code == 200, moved.text
            after = await client.post("/v1/models/reviews/predict", json={"inputs": house.GOOD})
            assert after.json()["model"] == f"reviews@{turn % 2 + 1}"
            await asyncio.sleep(0.1)
        await client.put("/admin/v1/models/reviews/aliases/production", json={"version": 1})
        is_over.set()
        await asyncio.gather(*load_tasks)
    assert failures == []
    assert seen == set(best)
    assert count > 100


def test_an_alias_stays_where_it_was_when_the_version_cannot_load(
    call: Call, home: Any, house: ModuleType
) -> None:
    home.register("fragile", house.reviews(), "production")
    home.register("fragile", house.drill("broken"))
    path = "/admin/v1/models/fragile/aliases/production"
    assert call("PUT", path, json={"version": 2}).status_code == 500
    assert call("PUT", path, json={"version": 3}).status_code == 404
    assert home.registry.aliases("fragile") == {"production": 1}
    answer = call("POST", "/v1/models/fragile/predict", json={"inputs": "x"})
    assert answer.json()["model"] == "fragile@1"
    home.registry.remove("fragile@2", actor="test")
    home.registry.remove("fragile@1", actor="test", force=True)


def test_a_version_not_to_be_trusted_needs_force(call: Call, home: Any, house: ModuleType) -> None:
    home.register("leaky", house.reviews(), is_trustworthy=False)
    path = "/admin/v1/models/leaky/aliases/production"
    assert call("PUT", path, json={"version": 1}).json()["error"]["code"] == "data.untrustworthy"
    assert call("PUT", path, json={"version": 1, "force": True}).status_code == 200
    home.registry.remove("leaky@1", actor="test", force=True)


@pytest.fixture
def own_server(house: ModuleType, tmp_path: Path) -> Any:
    with house.open_home(tmp_path / "own") as home:
        home.register("drill", house.drill(), "production")
        home.key("root", "admin")
        process = house.ServerProcess(home.folder, {"SERVERY_DRAIN_SECONDS": "5"})
        process.wait_until_ready()
        process.headers = {"authorization": f"Bearer {home.secrets['root']}"}
        yield process
        process.stop()


def test_sigterm_lets_the_request_in_flight_finish_and_refuses_new_ones(own_server: Any) -> None:
    url, headers = f"{own_server.url}/v1/models/drill/predict", own_server.headers
    answers: list[httpx.Response] = []
    asker = threading.Thread(
        target=lambda: answers.append(
            httpx.post(url, json={"inputs": "sleep=1.2"}, headers=headers, timeout=20)
        )
    )
    asker.start()
    time.sleep(0.5)
    assert httpx.get(f"{own_server.url}/readyz").status_code == 200
    own_server.process.send_signal(signal.SIGTERM)
    time.sleep(0.25)
    assert httpx.get(f"{own_server.url}/readyz").status_code == 503
    assert httpx.get(f"{own_server.url}/livez").status_code == 200
    refused = httpx.post(url, json={"inputs": "x"}, headers=headers)
    assert refused.status_code == 503
    assert refused.headers["retry-after"]
    asker.join()
    assert answers[0].status_code == 200
    assert own_server.process.wait(10) == 0


def test_a_request_longer_than_the_time_to_drain_is_told_so(house: ModuleType, tmp_path: Path) -> None:
    with house.open_home(tmp_path / "own") as home:
        home.register("drill", house.drill(), "production")
        headers = {"authorization": f"Bearer {home.key('root', 'admin')}"}
    process = house.ServerProcess(tmp_path / "own", {"SERVERY_DRAIN_SECONDS": "0.3"})
    process.wait_until_ready()
    stopper = threading.Timer(0.4, process.process.send_signal, [signal.SIGTERM])
    stopper.start()
    url, body = f"{process.url}/v1/models/drill/predict", {"inputs": "sleep=3"}
    started = time.monotonic()
    answer = httpx.post(url, json=body, headers=headers, timeout=20)
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "server.not_ready"
    assert time.monotonic() - started < 2.8
    assert process.process.wait(10) == 0
    process.stop()


def test_an_idle_server_stops_at_once(own_server: Any) -> None:
    with httpx.Client() as idle:
        idle.get(f"{own_server.url}/livez")
        started = time.monotonic()
        assert own_server.stop() == 0
        assert time.monotonic() - started < 2.5


def test_a_server_killed_with_minus_nine_comes_back_as_it_was(own_server: Any, house: ModuleType) -> None:
    own_server.process.send_signal(signal.SIGKILL)
    own_server.process.wait()
    own_server.stop()
    again = house.ServerProcess(Path(own_server.log.name).parent)
    again.wait_until_ready()
    answer = httpx.get(f"{again.url}/v1/models", headers=own_server.headers)
    assert [model["id"] for model in answer.json()["data"]] == ["drill"]
    assert again.stop() == 0
