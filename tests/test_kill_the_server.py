"""A server killed with -9 under load finds everything as it was: versions, aliases, keys, answers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from servery.client import Client
from servery.errors import ServeryError, UnauthenticatedError
from servery.pipeline.deploy import deploy
from servery.pipeline.plan import Plan
from servery.pipeline.train import train
from servery.pipeline.workspace import Workspace, admin_key


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    workspace = Workspace.open(folder)
    for name in ("reviews", "reviews"):
        train(Plan(name, "sentiment-analysis", "sample", recipe="tfidf-linear"), workspace)
    deploy("reviews@1", workspace=workspace)
    return folder


@pytest.fixture
def port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _serve(home: Path, port: int) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "SERVERY_HOME": str(home), "SERVERY_PORT": str(port)}
    process = subprocess.Popen(
        [sys.executable, "-m", "servery.cli.main", "serve"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with _client(home, port) as client:
        until = time.monotonic() + 60
        while time.monotonic() < until:
            try:
                client.models()
                return process
            except ServeryError:
                time.sleep(0.1)
    process.kill()
    pytest.fail("the server did not come up")


def _client(home: Path, port: int) -> Client:
    return Client(f"http://127.0.0.1:{port}", api_key=admin_key(home), retries=0)


def test_kill_nine_under_load_loses_nothing(home: Path, port: int) -> None:
    workspace = Workspace.open(home)
    _, secret = workspace.keys.create("app", ["predict"], actor="test")
    gone, gone_secret = workspace.keys.create("gone", ["predict"], actor="test")
    seen: list[str] = []
    server = _serve(home, port)
    with _client(home, port) as client:
        before = list(client.predict("reviews", ["slow and rude", "质量很好"]))
    workspace.keys.revoke(gone.id, actor="test")

    def call() -> None:
        with Client(f"http://127.0.0.1:{port}", api_key=secret, retries=0) as caller:
            while server.poll() is None:
                try:
                    caller.predict("reviews", "slow and rude")
                    seen.append("answered")
                except ServeryError as error:
                    seen.append(error.code)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    time.sleep(1.0)
    server.send_signal(signal.SIGKILL)
    server.wait()
    for caller in callers:
        caller.join()
    assert seen.count("answered") > 10

    server = _serve(home, port)
    try:
        with _client(home, port) as client:
            prediction = client.predict("reviews", ["slow and rude", "质量很好"])
            assert list(prediction) == before
            assert prediction.model == "reviews@1"
            with Client(f"http://127.0.0.1:{port}", api_key=secret) as caller:
                assert len(caller.predict("reviews", "slow and rude")) == 1
            with (
                pytest.raises(UnauthenticatedError),
                Client(f"http://127.0.0.1:{port}", api_key=gone_secret) as caller,
            ):
                caller.predict("reviews", "slow and rude")
        assert [v.number for v in workspace.registry.versions("reviews")] == [1, 2]
        assert workspace.registry.aliases("reviews") == {"production": 1}
        assert all(not problems for _, problems in workspace.registry.verify_all())
    finally:
        server.terminate()
        assert server.wait(timeout=30) == 0
