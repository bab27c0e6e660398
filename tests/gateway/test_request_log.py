"""The request log: one line a request, complete after a clean stop, never a body, never in the way."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from servery.gateway.message import Measures, Request
from servery.gateway.request_log import FLUSH_SECONDS, RequestLog


@pytest.fixture
def small_home(house: ModuleType, tmp_path: Path) -> Iterator[Any]:
    with house.open_home(tmp_path / "home") as home:
        home.register("reviews", house.reviews(), "production")
        home.key("root", "admin")
        yield home


@contextmanager
def asking(home: Any, process: Any) -> Iterator[Callable[..., httpx.Response]]:
    headers = {"authorization": f"Bearer {home.secrets['root']}"}
    with httpx.Client(base_url=process.url, timeout=20) as client:

        def ask(inputs: Any = "great fun", **more: str) -> httpx.Response:
            path = "/v1/models/reviews/predict"
            return client.post(path, json={"inputs": inputs}, headers={**headers, **more})

        yield ask


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def some_request(id_: str) -> Request:
    gateway: Any = None  # nothing here asks it anything
    receive: Any = None
    request = Request({"type": "http", "method": "POST", "headers": []}, receive, gateway, {}, id_)
    request.measures = Measures(route="/v1/models/{model}/predict")
    return request


def test_every_request_leaves_one_line_and_no_body(house: ModuleType, small_home: Any) -> None:
    process = house.ServerProcess(small_home.folder)
    process.wait_until_ready()
    with asking(small_home, process) as ask:
        for number in range(20):
            assert ask(["great fun", "canary"], **{"x-request-id": f"mine-{number}"}).status_code == 200
        assert ask(7).status_code == 422
        assert ask("x", authorization="Bearer sk-canary").status_code == 401
    assert process.stop() == 0
    path = small_home.folder / "logs" / "requests.jsonl"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    lines = lines_of(path)
    assert [line["id"] for line in lines[:20]] == [f"mine-{number}" for number in range(20)]
    assert len(lines) == 22, "probes leave no line"
    first, wrong, nobody = lines[0], lines[-2], lines[-1]
    key = next(record for record in small_home.keys.list() if record.name == "root")
    expected = {
        "key": key.id,
        "method": "POST",
        "route": "/v1/models/{model}/predict",
        "model": "reviews",
        "version": "1",
        "protocol": "native",
        "status": 200,
        "code": "",
        "unit": "rows",
        "units": 2,
        "bytes_in": len(b'{"inputs":["great fun","canary"]}'),
    }
    assert {name: first[name] for name in expected} == expected
    assert first["time"].endswith("Z")
    assert 0 <= first["queue_ms"] + first["compute_ms"] <= first["total_ms"]
    assert first["bytes_out"] > 100
    assert (wrong["status"], wrong["code"], wrong["units"]) == (422, "input.invalid", 0)
    assert (nobody["status"], nobody["code"], nobody["key"]) == (401, "access.key_missing", "")
    assert nobody["route"] == first["route"]
    assert "canary" not in path.read_text()
    assert small_home.secrets["root"] not in path.read_text()


def test_a_killed_server_loses_no_line_older_than_half_a_second(house: ModuleType, small_home: Any) -> None:
    process = house.ServerProcess(small_home.folder)
    process.wait_until_ready()
    answered_at = []
    until = time.monotonic() + 1.5
    with asking(small_home, process) as ask:
        while time.monotonic() < until:
            ask()
            answered_at.append(time.monotonic())
    os.kill(process.process.pid, signal.SIGKILL)
    killed_at = time.monotonic()
    process.stop()
    old = sum(at < killed_at - 0.5 for at in answered_at)
    assert len(lines_of(small_home.folder / "logs" / "requests.jsonl")) >= old > 10


def test_it_can_be_off_elsewhere_or_on_standard_error(
    house: ModuleType, small_home: Any, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "var" / "log.jsonl"
    for choice in ("off", str(elsewhere), "stderr"):
        process = house.ServerProcess(small_home.folder, {"SERVERY_REQUEST_LOG": choice})
        process.wait_until_ready()
        with asking(small_home, process) as ask:
            ask(**{"x-request-id": f"sent-to-{choice.rpartition('/')[2]}"})
        assert process.stop() == 0
    assert not (small_home.folder / "logs").exists()
    assert [line["id"] for line in lines_of(elsewhere)] == ["sent-to-log.jsonl"]
    assert (small_home.folder / "server.log").read_text().count('"id":"sent-to-stderr"') == 1


def test_full_files_move_aside_and_the_oldest_goes_though_two_write(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    logs = [RequestLog(path, largest_file_bytes=20_000, kept_files=3) for _ in range(2)]

    def fill(log: RequestLog) -> None:
        for number in range(400):
            log.add(some_request(f"request-{number}"), 200, 0.001)
            if number % 50 == 49:
                time.sleep(FLUSH_SECONDS)
        log.close()

    threads = [threading.Thread(target=fill, args=(log,)) for log in logs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    files = sorted(entry.name for entry in tmp_path.iterdir())
    assert files == ["requests.jsonl", "requests.jsonl.1", "requests.jsonl.2", "requests.jsonl.3"]
    kept = [line for name in files for line in lines_of(tmp_path / name)]
    assert max((tmp_path / name).stat().st_size for name in files) < 60_000
    assert {line["id"] for line in lines_of(path)} >= {"request-399"}
    assert len(kept) > 200, "whole lines, all of them readable"


def test_a_file_that_was_moved_away_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    log = RequestLog(path)
    for number in range(2):
        log.add(some_request(f"request-{number}"), 200, 0.001)
        end = time.monotonic() + 5
        while not path.exists() and time.monotonic() < end:
            time.sleep(0.01)
        path.rename(tmp_path / f"moved-{number}")
    log.close()
    assert [lines_of(tmp_path / f"moved-{number}")[0]["id"] for number in range(2)] == [
        "request-0",
        "request-1",
    ]


def test_a_log_that_cannot_be_written_costs_no_answer(house: ModuleType, small_home: Any) -> None:
    (small_home.folder / "logs").write_text("a file stands where the folder should be")
    process = house.ServerProcess(small_home.folder)
    process.wait_until_ready()
    with asking(small_home, process) as ask:
        assert {ask().status_code for _ in range(5)} == {200}
    time.sleep(2 * FLUSH_SECONDS)
    headers = {"authorization": f"Bearer {small_home.secrets['root']}"}
    metrics = httpx.get(f"{process.url}/metrics", headers=headers).text
    assert process.stop() == 0
    assert "servery_request_log_dropped_total 5" in metrics
    assert (small_home.folder / "server.log").read_text().count("request log cannot be written") == 1
