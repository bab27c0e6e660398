"""Bad input at every route that reads a body: refused at once, in its protocol's words, with nothing left behind."""

from __future__ import annotations

import gzip
import json
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from servery.errors import InputError
from servery.gateway.app import protocol_routes
from servery.gateway.route import Route

MOST_MS = 50.0
MOST_BYTES = 10 * 2**20
SETTLED_SECONDS = 1.5
"""After this long the server has given back what large requests left."""
MILLION = 10**6
DEEP = 100_000
ROUTES = [route for route in protocol_routes() if route.method in ("POST", "PUT") and route.request]
DECODERS = {
    *("/v1/models/{model}/predict", "/v1/models/{model}", "/v1/embeddings", "/v1/chat/completions"),
    *("/v2/models/{model}/infer", "/v1/jobs"),
}
"""Routes that read JSON in different ways; these get every bomb, the others one each."""
PLACES = {
    "model": "reviews",
    "name": "reviews",
    "alias": "walked",
    "key": "nobody",
    "version": "1",
    "stored": "spare",
    "job": "never-made",
}
ODD_NAMES = {
    "two spellings of one letter": "re\u0301views",
    "right to left": "\u202eweiver\u202c",
    "wide letters": "ｒｅｖｉｅｗｓ",
    "another alphabet's e": "r\u0435views",
    "no width": "reviews\u200b",
    "NUL": "reviews\x00",
    "a line": "reviews\r\nx-admin: 1",
    "beyond 16 bits": "\U0001f600",
    "far too long": "é" * 100_000,
    "a folder above": "../../admin.key",
    "two versions": "reviews@1@2",
}


def bodies() -> dict[str, bytes]:
    """Small bodies that no route takes."""
    return {
        "nothing": b"",
        "not JSON": b"hello",
        "torn": b'{"model": "reviews", "inputs": ["x"',
        "two values": b"{} {}",
        "not UTF-8": b'{"model": "\xff\xfe"}',
        "half a surrogate": b'{"model": "\\ud800"}',
        "NaN": b'{"inputs": NaN}',
        "Infinity": b'{"model": -Infinity}',
        "too large a number": b'{"model": 1e999}',
        "a list": b"[]",
        "a number": b"7",
        "the same name twice": b'{"model": "reviews", "model": "loans"}',
        "the same name twice, escaped": b'{"model": "reviews", "\\u006dodel": "loans"}',
        "an unknown name": b'{"is_admin": true, "model": "reviews"}',
        "an odd name": '{"re\u0301views\\u0000": 1}'.encode(),
        "every type is wrong": b'{"model": 1, "inputs": {"a": [{}]}, "input": {}, "name": [], "version": {}, "x": 0}',
        "lists, deep": b'{"inputs": ' + b"[" * DEEP + b"]" * DEEP + b"}",
        "objects, deep": b'{"inputs": ' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
        "an endless number": b'{"model": ' + b"9" * 100_000 + b"}",
    }


def bombs() -> dict[str, bytes]:
    """Bodies of megabytes that would become a hundred times as many objects."""
    many = b",".join(b'"k%d":1' % number for number in range(MILLION))
    return {
        "a million names": b'{"inputs":{' + many + b"}}",
        "a million unknown names": b"{" + many + b"}",
        "a million parameters": b'{"model":"reviews","inputs":"x","parameters":{' + many + b"}}",
        "one name a million times": b'{"inputs":{' + b",".join([b'"k":1'] * MILLION) + b"}}",
        "a million objects": b'{"inputs":[' + b",".join([b"{}"] * MILLION) + b"]}",
        "a million lists": b'{"inputs":[' + b",".join([b"[]"] * MILLION) + b"]}",
        "a million nulls": b'{"inputs":[' + b",".join([b"null"] * MILLION) + b"]}",
    }


TENSORS: dict[str, list[dict[str, Any]]] = {
    "none": [],
    "a shape whose product overflows": [{"shape": [2**31, 2**31, 2**31], "data": [1.0]}],
    "a shape of 2**63": [{"shape": [2**63 - 1, 4], "data": [1.0]}],
    "a shape of more than 64 bits": [{"shape": [2**70, 4], "data": [1.0]}],
    "a negative shape": [{"shape": [-1, 4], "data": [1.0]}],
    "an empty axis": [{"shape": [1, 0, 4], "data": []}],
    "a million axes": [{"shape": [1] * MILLION, "data": [1.0]}],
    "an axis with a fraction": [{"shape": [1.5, 4], "data": [1.0]}],
    "ragged rows": [{"data": [[1, 2, 3, 4], [1, 2]], "shape": [2, 4]}],
    "too few numbers": [{"data": [1, 2, 3]}],
    "texts for numbers": [{"data": ["1", "2", "3", "4"]}],
    "booleans for numbers": [{"data": [True, False, True, False]}],
    "a number too large for its type": [{"data": [1e39, 0, 0, 0]}],
    "another type": [{"datatype": "BYTES", "data": ["a", "b", "c", "d"]}],
    "a type that is none": [{"datatype": "FP1024"}],
    "the same tensor twice": [{}, {}],
    "a tensor that is none": [{"name": "y\u202e\x00"}],
    "more bytes than there are": [{"data": None, "parameters": {"binary_data_size": 16}}],
    "bytes below zero": [{"data": None, "parameters": {"binary_data_size": -16}}],
    "shared memory": [{"data": None, "parameters": {"shared_memory_region": "/etc/passwd"}}],
    "an unknown parameter": [{"parameters": {"is_admin": True}}],
    "a million tensors": [{"data": [1]}] * 20_000,
}


@dataclass
class Judged:
    """A server to be hurt, and what it answered before."""

    url: str
    client: httpx.Client
    process: psutil.Process

    def memory_bytes(self) -> int:
        return int(self.process.memory_info().rss)

    def refuses(self, route: Route, path: str, body: bytes, **headers: str) -> float:
        """Check that a request is refused in its protocol's shape; return the milliseconds from when it was there."""
        sent = {"content-type": "application/json", **headers}
        answer = self.client.request(route.method, path, content=body, headers=sent)
        assert 400 <= answer.status_code < 500, (answer.status_code, answer.text[:300])
        assert len(answer.content) < 4000
        expected = route.error_shape(InputError("no"), "id")
        assert shape_of(answer.json()) <= shape_of(expected) | {
            "/request_id",
            "/param",
            "/error/param",
            "/error/hint",
        }
        assert shape_of(answer.json()) >= {name for name, value in leaves(expected) if value is not None}
        told = dict(part.split(";dur=") for part in answer.headers["server-timing"].split(", "))
        return float(told["total"]) - float(told.get("read", 0))

    def good(self) -> list[Any]:
        """Answers that must stay what they are."""
        asked = [
            ("/v1/models/reviews/predict", {"inputs": ["great fun", "slow"]}),
            ("/v1/embeddings", {"model": "meaning", "input": "a cat sleeps"}),
            ("/v1/completions", {"model": "scribe", "prompt": "to be", "temperature": 0, "max_tokens": 4}),
            (
                "/v2/models/signals/infer",
                {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [4, 3, 2, 1]}]},
            ),
        ]
        answers = [self.client.post(path, json=body) for path, body in asked]
        assert [answer.status_code for answer in answers] == [200] * len(asked), [a.text for a in answers]
        told = ("outputs", "data", "choices")
        return [next(answer.json()[name] for name in told if name in answer.json()) for answer in answers]


def leaves(value: Any, place: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from leaves(inner, f"{place}/{name}")
    else:
        yield place, value


def shape_of(value: Any) -> set[str]:
    return {place for place, _ in leaves(value)}


def path_of(route: Route) -> str:
    path = route.path
    for name, word in PLACES.items():
        path = path.replace(f"{{{name}}}", word)
    return path


def patience() -> float:
    """How many times longer than alone a process takes on this machine now."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


@pytest.fixture(scope="module")
def judged(house: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judged]:
    with house.open_home(tmp_path_factory.mktemp("hurt") / "home") as home:
        house.furnish(home)
        server = house.ServerProcess(home.folder, {"SERVERY_BODY_TIMEOUT_SECONDS": "2"})
        server.wait_until_ready(60)
        headers = {"authorization": f"Bearer {home.secrets['root']}"}
        with httpx.Client(base_url=server.url, headers=headers, timeout=30) as client:
            found = Judged(server.url, client, psutil.Process(server.process.pid))
            for _ in range(3):
                found.good()
            yield found
        assert server.stop() == 0
        log = (Path(home.folder) / "server.log").read_text()
        assert "unexpected error" not in log, log[-3000:]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_no_route_takes_a_body_that_is_none(judged: Judged, route: Route) -> None:
    path = path_of(route)
    skipped = {"nothing"} if "/repository/" in path else set()
    for name, body in bodies().items():
        if name not in skipped:
            took_ms = min(judged.refuses(route, path, body) for _ in range(3))  # others share the machine
            assert took_ms < MOST_MS * patience(), (name, took_ms)
    packed = gzip.compress(b"0" * 10_000_000)
    for encoding in ("gzip", "br", "deflate, gzip", "zstd"):
        judged.refuses(route, path, packed, **{"content-encoding": encoding})


def test_bombs_are_refused_at_once_and_leave_nothing_behind(judged: Judged) -> None:
    before, memory = judged.good(), judged.memory_bytes()
    slow: list[tuple[str, str, float]] = []
    sent = list(bombs().items())
    for place, route in enumerate(ROUTES):
        for name, body in sent if route.path in DECODERS else [sent[place % len(sent)]]:
            took_ms = judged.refuses(route, path_of(route), body)
            for _ in range(2):
                if took_ms > MOST_MS:
                    took_ms = min(took_ms, judged.refuses(route, path_of(route), body))
            if took_ms > MOST_MS * patience():
                slow.append((route.path, name, took_ms))
    assert slow == []
    time.sleep(SETTLED_SECONDS)
    assert judged.memory_bytes() - memory <= MOST_BYTES
    assert judged.good() == before


def infer_bodies() -> dict[str, bytes]:
    good = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [4, 3, 2, 1]}
    found = {
        name: json.dumps({"inputs": [{**good, **tensor} for tensor in tensors]}).encode()
        for name, tensors in TENSORS.items()
    }
    more: dict[str, Any] = {
        "an id that is none": {"id": 7},
        "an endless id": {"id": "x" * 1000},
        "the same output twice": {"outputs": [{"name": "scores"}, {"name": "scores"}]},
        "an output that is none": {"outputs": [{"name": "s\u200bcores"}]},
        "another model": {"model_name": "loans"},
        "a sequence": {"parameters": {"sequence_id": 7}},
        "a timeout that is none": {"parameters": {"timeout": -1}},
        "unknown parameters": {"parameters": {f"p{n}": n for n in range(101)}},
        "an infinite number": {"inputs": [{**good, "data": [float("inf")] * 4}]},
        "no number": {"inputs": [{**good, "data": [float("nan")] * 4}]},
    }
    return {**found, **{n: json.dumps({"inputs": [good], **body}).encode() for n, body in more.items()}}


@pytest.mark.parametrize("name", infer_bodies())
def test_tensors_that_cannot_be_are_refused(judged: Judged, name: str) -> None:
    [route] = [route for route in ROUTES if route.path == "/v2/models/{model}/infer"]
    took_ms = min(judged.refuses(route, "/v2/models/signals/infer", infer_bodies()[name]) for _ in range(3))
    assert took_ms < MOST_MS * patience()


@pytest.mark.parametrize("length", ["-1", "0", "1.5", "9" * 30, "１２", "999999"])
def test_a_length_of_the_json_that_cannot_be_is_refused(judged: Judged, length: str) -> None:
    [route] = [route for route in ROUTES if route.path == "/v2/models/{model}/infer"]
    headers = {"inference-header-content-length": length.encode()}
    body = infer_bodies()["too few numbers"] + b"\0" * 16
    judged.refuses(route, "/v2/models/signals/infer", body, **headers)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_an_odd_name_is_nobodys(judged: Judged, name: str) -> None:
    odd = ODD_NAMES[name]
    for route in ROUTES:
        if isinstance(route.example, dict) and "model" in route.example:
            judged.refuses(route, path_of(route), json.dumps({**route.example, "model": odd}).encode())
            judged.refuses(route, path_of(route), json.dumps({**route.example, odd: 1}).encode())
    for route in ROUTES:
        if "{model}" in route.path and len(odd) < 1000:
            path = str(httpx.URL(judged.url).copy_with(raw_path=escaped(route.path, odd)))
            judged.refuses(route, path, json.dumps(route.example).encode())


def escaped(path: str, model: str) -> bytes:
    name = "".join(f"%{byte:02x}" for byte in model.encode())
    for place, word in {**PLACES, "model": name}.items():
        path = path.replace(f"{{{place}}}", word)
    return path.encode()


def test_half_bodies_and_heads_in_bytes_cost_nothing(judged: Judged) -> None:
    before, memory = judged.good(), judged.memory_bytes()
    host, port = "127.0.0.1", httpx.URL(judged.url).port or 0
    key = judged.client.headers["authorization"]
    for route in ROUTES:
        head = f"{route.method} {path_of(route)} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {key}\r\n"
        for promised in ("Content-Length: 30000000", "Transfer-Encoding: chunked"):
            with socket.create_connection((host, port)) as connection:
                half = b'{"model": ' if "Length" in promised else b'5\r\n{"mod'
                connection.sendall(f"{head}{promised}\r\n\r\n".encode() + half)
    with socket.create_connection((host, port), timeout=10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in f"GET /v1/models HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n".encode():
            connection.sendall(bytes([byte]))
        for number in range(200):
            connection.sendall(f"X-{number}: {number}\r\n".encode())
        connection.sendall(f"Authorization: {key}\r\n\r\n".encode())
        assert connection.makefile("rb").readline().startswith(b"HTTP/1.1 200 ")
    assert judged.good() == before
    time.sleep(SETTLED_SECONDS)
    assert judged.memory_bytes() - memory <= MOST_BYTES
