"""Webhooks of jobs, taken by a real receiver: signed, sent again until it takes them, also after a restart."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import openai
import pytest

from servery.client import Client

ENVIRONMENT = {
    "SERVERY_WEBHOOK_ALLOW_PRIVATE": "true",
    "SERVERY_WEBHOOK_RETRY_SECONDS": "0.2",
    "SERVERY_GRPC_PORT": "off",
}


@dataclass
class Receiver:
    """Answers what it is told to, in turn, the last for ever; keeps what came."""

    statuses: list[int]
    url: str = ""
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    def wait(self, count: int, seconds: float = 20.0) -> None:
        until = time.monotonic() + seconds
        while len(self.requests) < count:
            assert time.monotonic() < until, f"{len(self.requests)} of {count} messages came"
            time.sleep(0.02)


@pytest.fixture
def receive() -> Iterator[Callable[..., Receiver]]:
    servers = []

    def start(*statuses: int) -> Receiver:
        receiver = Receiver(list(statuses))

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.requests.append(({k.lower(): v for k, v in self.headers.items()}, body))
                place = min(len(receiver.requests), len(receiver.statuses)) - 1
                self.send_response(receiver.statuses[place])
                self.send_header("location", f"{receiver.url}/elsewhere")
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *arguments: Any) -> None:
                pass

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        receiver.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        servers.append((server, thread))
        return receiver

    yield start
    for server, thread in servers:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def home(house: ModuleType, tmp_path: Path) -> Iterator[Any]:
    with house.open_home(tmp_path / "home") as home:
        home.register("reviews", house.reviews(), "production")
        home.register("drill", house.drill(), "production")
        home.key("app", "predict")
        yield home


@pytest.fixture
def start(house: ModuleType, home: Any) -> Iterator[Callable[..., Any]]:
    started = []

    def start(**more: str) -> Any:
        started.append(house.ServerProcess(home.folder, {**ENVIRONMENT, **more}))
        started[-1].wait_until_ready()
        return started[-1]

    yield start
    for process in started:
        if process.process.poll() is None:
            assert process.stop() == 0


def verified(secret: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """Check a message by hand, as the Standard Webhooks specification says, and by OpenAI's client."""
    key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    signed = b".".join([headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body])
    digest = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"
    openai.OpenAI(api_key="none").webhooks.verify_signature(body, headers, secret=secret)
    with pytest.raises(openai.InvalidWebhookSignatureError):
        openai.OpenAI(api_key="none").webhooks.verify_signature(body + b" ", headers, secret=secret)
    return dict(json.loads(body))


def test_a_receiver_that_fails_twice_gets_the_same_signed_message_a_third_time(
    start: Any, home: Any, receive: Any
) -> None:
    receiver = receive(500, 302, 204)
    with Client(start().url, api_key=home.secrets["app"]) as client:
        job = client.jobs.create("reviews", ["great fun", 7], webhook={"url": f"{receiver.url}/hook"})
        assert job.webhook is not None
        secret = job.webhook.secret
        assert secret is not None
        receiver.wait(3)
        time.sleep(1.0)
        shown = client.jobs.get(job.id)
        assert shown.webhook is not None
        assert shown.webhook.secret is None
        told = [verified(secret, headers, body) for headers, body in receiver.requests]
    assert len(told) == 3
    assert told[0] == told[1] == told[2]
    assert len({headers["webhook-id"] for headers, _ in receiver.requests}) == 1
    assert told[0]["type"] == "job.succeeded"
    assert told[0]["data"]["id"] == job.id
    assert (told[0]["data"]["rows_done"], told[0]["data"]["rows_failed"]) == (2, 1)
    assert secret not in str(told)


def test_messages_that_wait_survive_a_kill_of_the_server(start: Any, home: Any, receive: Any) -> None:
    receiver = receive(503)
    server = start()
    with Client(server.url, api_key=home.secrets["app"]) as client:
        webhook = {"url": receiver.url, "secret": "whsec_" + base64.b64encode(b"k" * 32).decode()}
        client.jobs.create("reviews", ["great fun"], webhook=webhook)
        receiver.wait(2)
    time.sleep(0.1)  # so that the attempt is noted; else the message rests for a while
    server.process.kill()
    server.stop()
    seen = len(receiver.requests)
    receiver.statuses = [200]
    start()
    receiver.wait(seen + 1)
    assert len({headers["webhook-id"] for headers, _ in receiver.requests}) == 1
    assert verified(webhook["secret"], *receiver.requests[-1])["type"] == "job.succeeded"


def test_a_webhook_hears_the_events_it_asked_for_and_a_gone_one_no_more(
    start: Any, home: Any, receive: Any
) -> None:
    receiver, gone = receive(200), receive(410)
    with Client(start().url, api_key=home.secrets["app"]) as client:
        webhook = {"url": receiver.url, "events": ["job.started", "job.cancelled"], "secret": "x" * 24}
        job = client.jobs.create("drill", [f"sleep=0.1 {i}" for i in range(2000)], webhook=webhook)
        assert job.webhook is not None
        assert job.webhook.events == ["job.started", "job.cancelled"]
        receiver.wait(1)
        client.jobs.cancel(job.id)
        receiver.wait(2)
        client.jobs.create("reviews", ["x"], webhook={"url": gone.url})
        gone.wait(1)
        time.sleep(1.0)
    told = [verified("x" * 24, headers, body)["type"] for headers, body in receiver.requests]
    assert told == ["job.started", "job.cancelled"]
    assert len(gone.requests) == 1


def test_a_receiver_that_never_answers_holds_nobody_up(start: Any, home: Any) -> None:
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with Client(start().url, api_key=home.secrets["app"]) as client:
            job = client.jobs.create("reviews", ["great fun"], webhook={"url": url})
            assert client.jobs.wait(job.id, timeout_seconds=10).state == "succeeded"
            started = time.perf_counter()
            client.predict("reviews", "great fun")
            assert time.perf_counter() - started < 1.0


def test_without_leave_nothing_private_is_called(start: Any, home: Any, receive: Any) -> None:
    receiver = receive(200)
    with Client(start(SERVERY_WEBHOOK_ALLOW_PRIVATE="false").url, api_key=home.secrets["app"]) as client:
        port = receiver.url.rpartition(":")[2]
        # A name that means this machine passes the look at its letters, and is refused when it is resolved.
        job = client.jobs.create("reviews", ["great fun"], webhook={"url": f"http://127.1:{port}/"})
        assert client.jobs.wait(job.id, timeout_seconds=10).state == "succeeded"
        time.sleep(1.5)
    assert receiver.requests == []
    assert "not public" in (home.folder / "server.log").read_text()
