"""Requests made to hurt: each is refused quickly, never with a 500, and the server lives on."""

from __future__ import annotations

import gzip
import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psutil
import pytest

from servery.errors import InputError, MalformedError
from servery.gateway.strict_json import decoded

Call = Callable[..., httpx.Response]

DEEP = 100_000
BODIES = {
    "nothing": b"",
    "not JSON": b"hello",
    "torn JSON": b'{"inputs": "x"',
    "two values": b'{"inputs": "x"} {}',
    "not UTF-8": b'{"inputs": "\xff\xfe"}',
    "byte order mark": b'\xef\xbb\xbf{"inputs": "x"}',
    "half a surrogate": b'{"inputs": "\\ud800"}',
    "control character": b'{"inputs": "a\x00b"}',
    "NaN": b'{"inputs": NaN}',
    "Infinity": b'{"inputs": -Infinity}',
    "too large a number": b'{"inputs": 1e999}',
    "deep lists": b'{"inputs": ' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep objects": b'{"inputs": ' + b'{"a":' * DEEP + b"1" + b"}" * DEEP + b"}",
    "an integer of thousands of digits": b'{"inputs": ' + b"9" * 5000 + b"}",
    "the same name twice": b'{"inputs": "a", "inputs": "b"}',
    "the same name twice, escaped": b'{"inputs": "a", "\\u0069nputs": "b"}',
    "the same name twice, inside": b'{"inputs": {"text": "a:b", "text": "c"}}',
    "a list": b"[]",
    "null": b"null",
    "no inputs": b'{"parameters": {}}',
    "null inputs": b'{"inputs": null}',
    "a number": b'{"inputs": 12}',
    "a large integer": b'{"inputs": ' + b"9" * 400 + b"}",
    "an object": b'{"inputs": {"text": "x", "more": 1}}',
    "no input at all": b'{"inputs": []}',
    "too many inputs": b'{"inputs": [' + b'"x",' * 1100 + b'"x"]}',
    "too long a text": b'{"inputs": "' + b"x" * 200_000 + b'"}',
    "an unknown member": b'{"inputs": "x", "role": "admin"}',
    "an unknown parameter": b'{"inputs": "x", "parameters": {"is_admin": true}}',
    "a parameter too small": b'{"inputs": "x", "parameters": {"top_k": -1}}',
    "a parameter too large": b'{"inputs": "x", "parameters": {"top_k": 9223372036854775808}}',
    "a parameter of another type": b'{"inputs": "x", "parameters": {"top_k": "1"}}',
    "parameters that are a list": b'{"inputs": "x", "parameters": [1]}',
    "a table for a text model": b'{"inputs": {"table": {"text": ["x"]}}}',
}


@pytest.mark.parametrize("path", ["/v1/models/reviews/predict", "/v1/models/reviews"])
@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
def test_a_hostile_body_is_refused_with_a_reason(call: Call, path: str, body: bytes) -> None:
    answer = call("POST", path, content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 415, 422), answer.text
    error = answer.json()["error"]
    assert error["type"] == "invalid_request_error"
    assert len(answer.content) < 2000


@pytest.mark.parametrize(
    "cell",
    ["1e400", "9" * 400, '"1e999"', '"nan"', "true", '{"a": 1}', "[1]", '"' + "7" * 5000 + '"', "-1e308e9"],
)
def test_a_hostile_number_in_a_table_is_refused(call: Call, cell: str) -> None:
    body = f'{{"inputs": {{"income": {cell}, "debt_ratio": 0.1, "home": "own"}}}}'.encode()
    answer = call("POST", "/v1/models/loans/predict", content=body)
    assert answer.status_code in (400, 422), answer.text


def png(width: int, height: int, data: bytes = b"") -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


PICTURES = {
    "a header of ten billion pixels": png(100_000, 100_000, zlib.compress(b"\0" * 1000)),
    "a torn picture": png(4, 4, b"torn"),
    "half a header": png(4, 4)[:20],
    "HTML": b"<html><script>alert(1)</script></html>",
    "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "a pickle": b"\x80\x04cposix\nsystem\n(S'true'\ntR.",
    "nothing": b"",
}


@pytest.mark.parametrize("path", ["/v1/models/shades/predict", "/v1/models/shades"])
@pytest.mark.parametrize("picture", PICTURES.values(), ids=PICTURES.keys())
def test_a_hostile_picture_is_refused(call: Call, path: str, picture: bytes) -> None:
    for content_type in ("image/png", "application/octet-stream", "application/vnd.bentoml+pickle"):
        answer = call("POST", path, content=picture, headers={"content-type": content_type})
        assert answer.status_code in (413, 415, 422), answer.text


def test_a_compressed_body_is_refused_before_it_is_unpacked(call: Call) -> None:
    bomb = gzip.compress(b"0" * 10_000_000)
    for encoding in ("gzip", "br", "deflate", "gzip, identity"):
        headers = {"content-encoding": encoding, "content-type": "application/json"}
        answer = call("POST", "/v1/models/reviews/predict", content=bomb, headers=headers)
        assert answer.status_code == 415


def test_a_body_over_the_limit_is_refused_whether_its_length_is_told_or_not(server: Any, call: Call) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(200):
            yield b"x" * 50_000

    process = psutil.Process(server.process.pid)
    before = process.memory_info().rss
    for body in (b"x" * 10_000_000, chunks()):
        answer = call("POST", "/v1/models/reviews/predict", content=body)
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "input.too_large"
    assert process.memory_info().rss - before < 30 * 2**20


@pytest.mark.parametrize("deadline", ["0", "-5", "1e9", "soon", "9" * 30, "1.5"])
def test_a_deadline_that_is_none_is_refused(predict: Call, deadline: str) -> None:
    assert predict("reviews", "x", {"x-deadline-ms": deadline}).status_code == 400


@pytest.mark.parametrize(
    "model", ["%2e%2e", "..%2fadmin", "a%00b", "%ff", "x" * 300, "Reviews", "reviews@", "@1"]
)
def test_a_hostile_model_id_is_no_model(call: Call, model: str) -> None:
    answer = call("POST", f"/v1/models/{model}/predict", json={"inputs": "x"})
    assert answer.status_code in (400, 404)


class Raw:
    """A connection on which bytes are sent as they are."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def rest(self) -> bytes:
        """Everything until the server closes."""
        parts = []
        while part := self._part():
            parts.append(part)
        self.socket.close()
        return b"".join(parts)

    def _part(self) -> bytes:
        try:
            return self.socket.recv(65536)
        except ConnectionResetError:
            return b""


@pytest.mark.parametrize(
    "head",
    [
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 5_000_000,
    ],
)
def test_a_head_that_is_too_large_is_refused(server: Any, head: bytes) -> None:
    connection = Raw(server.port)
    sender = threading.Thread(target=_send_quietly, args=(connection, head))
    sender.start()
    answer = connection.rest()
    sender.join()
    assert answer.startswith(b"HTTP/1.1 431 ")
    assert b"input.header_too_large" in answer


def _send_quietly(connection: Raw, data: bytes) -> None:
    try:
        connection.send(data)
    except OSError:
        return  # the server has refused it meanwhile


@pytest.mark.parametrize(
    "head",
    [
        b"NONSENSE\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n\r\n",
        b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /liv\xffez HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_bytes_that_are_no_request_get_a_400(server: Any, head: bytes) -> None:
    connection = Raw(server.port)
    connection.send(head)
    connection.socket.shutdown(socket.SHUT_WR)
    assert connection.rest().startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 401 "))


def test_slow_and_silent_connections_are_cut_and_hinder_nobody(server: Any, call: Call) -> None:
    silent = [Raw(server.port) for _ in range(50)]
    dripping = [Raw(server.port) for _ in range(50)]
    blank = Raw(server.port)
    started = time.monotonic()
    for byte in b"GET /live":
        for connection in dripping:
            connection.send(bytes([byte]))
        blank.send(b"\r\n")
        assert call("GET", "/livez").elapsed.total_seconds() < 0.5
        time.sleep(0.05)
    for connection in dripping:
        assert connection.rest().startswith(b"HTTP/1.1 408 ")
    for connection in [*silent, blank]:
        connection.rest()
    assert time.monotonic() - started < 3


def test_a_slow_body_is_cut(server: Any, home: Any) -> None:
    head = (
        "POST /v1/models/reviews/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"
        f"Authorization: Bearer {home.secrets['app']}\r\n\r\n"
    )
    connection = Raw(server.port)
    connection.send(head.encode() + b'{"inp')
    answer = connection.rest()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"input.too_slow" in answer


def test_pipelined_requests_are_answered_in_order(server: Any) -> None:
    connection = Raw(server.port)
    one = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: %d\r\n\r\n"
    last = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: 20\r\nConnection: close\r\n\r\n"
    connection.send(b"".join(one % number for number in range(20)) + last)
    answer = connection.rest()
    ids = [int(line.split(b": ")[1]) for line in answer.split(b"\r\n") if line.startswith(b"x-request-id")]
    assert ids == list(range(21))


def test_names_repeated_in_any_object_are_found_and_colons_in_texts_are_not_names() -> None:
    assert decoded(b'{"a": "b:c", "d": [{"e": ":", "f": {}}]}') == {"a": "b:c", "d": [{"e": ":", "f": {}}]}
    for twice in (b'{"a":1,"a":1}', b'[{"b":{"a":":","c":1,"a":1}}]', b'{"a":1,"\\u0061":2}'):
        with pytest.raises(MalformedError, match="twice"):
            decoded(twice)


def test_an_error_points_at_the_place(predict: Call) -> None:
    error = predict("reviews", ["fine", 7]).json()["error"]
    assert error["param"] == "/inputs/1"
    error = predict("reviews", "x", top_k=0).json()["error"]
    assert error["param"] == "/parameters/top_k"
    assert error["code"] == InputError.code
