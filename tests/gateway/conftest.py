"""One furnished home and one server process for the whole room; tests that stop or change them make their own."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from servery.client import Client

HOUSE = Path(__file__).parent / "house.py"


def load_house() -> ModuleType:
    if "servery_test_house" not in sys.modules:
        spec = importlib.util.spec_from_file_location("servery_test_house", HOUSE)
        assert spec is not None
        assert spec.loader is not None
        sys.modules["servery_test_house"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["servery_test_house"])
    return sys.modules["servery_test_house"]


@pytest.fixture(scope="session")
def house() -> ModuleType:
    return load_house()


@pytest.fixture(scope="session")
def home(house: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with house.open_home(tmp_path_factory.mktemp("house") / "home") as opened:
        house.furnish(opened)
        yield opened


@pytest.fixture(scope="session")
def server(house: ModuleType, home: Any) -> Iterator[Any]:
    bounds = {
        "SERVERY_HEADER_TIMEOUT_SECONDS": "1",
        "SERVERY_BODY_TIMEOUT_SECONDS": "1",
        "SERVERY_MAX_BODY_BYTES": "1000000",
        "SERVERY_MAX_QUEUE_ROWS": "64",
        "SERVERY_MAX_BATCH_ROWS": "16",
        "SERVERY_MAX_UPLOAD_BYTES": "1000000",
    }
    process = house.ServerProcess(home.folder, bounds)
    process.wait_until_ready()
    _walk_a_job(process.url, home.secrets["root"])
    yield process
    assert process.stop() == 0
    log = (home.folder / "server.log").read_text()
    assert not any(secret in log for secret in home.secrets.values())
    assert "canary" not in log


def _walk_a_job(url: str, key: str) -> None:
    with Client(url, api_key=key) as client:
        job = client.jobs.create("reviews", ["The staff were friendly.", "Never again."], id="walked-job")
        assert client.jobs.wait(job.id, timeout_seconds=20).state == "succeeded"


@pytest.fixture
def call(server: Any, home: Any) -> Iterator[Callable[..., httpx.Response]]:
    """Call the server with one of the home's keys; `key=None` for none."""
    with httpx.Client(base_url=server.url, timeout=20) as client:

        def send(method: str, path: str, key: str | None = "root", **more: Any) -> httpx.Response:
            headers = {} if key is None else {"authorization": f"Bearer {home.secrets[key]}"}
            return client.request(method, path, headers={**headers, **more.pop("headers", {})}, **more)

        yield send


@pytest.fixture
def predict(call: Callable[..., httpx.Response]) -> Callable[..., httpx.Response]:
    def send(
        model: str, inputs: Any, headers: dict[str, str] | None = None, **parameters: Any
    ) -> httpx.Response:
        body = {"inputs": inputs, "parameters": parameters}
        return call("POST", f"/v1/models/{model}/predict", json=body, headers=headers or {})

    return send
