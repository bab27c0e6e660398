"""The connection: what a request was given is gone when it is answered."""

from __future__ import annotations

import gc
import http.client
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from servery.gateway.edge import bounded
from servery.gateway.message import WIRE


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer as the application does: over the wire where it can, else ASGI's way."""
    wire = scope[WIRE]
    body = wire.whole_body(1 << 20)
    if body is None or not wire.answered([(b"content-length", b"%d" % len(body))], body):
        await send({"type": "http.response.start", "status": 400, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest.fixture
def port() -> Iterator[int]:
    config = uvicorn.Config(echo, port=0, http=bounded(10_000, 5.0), lifespan="off", log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    thread.join()


@pytest.mark.parametrize("method", ["POST", "HEAD"], ids=["over the wire", "by way of ASGI"])
def test_an_answered_request_is_freed_without_the_garbage_collector(port: int, method: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            connection.request(method, "/", body=b"x" * 10_000)
            connection.getresponse().read()
        alive = sum(type(thing) is RequestResponseCycle for thing in gc.get_objects())
    finally:
        gc.enable()
        connection.close()
    assert alive <= 2
