"""The SDK against a real server: every kind of input, every error as its own class, retries that listen."""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from servery import errors
from servery.client import AsyncClient, Client

HOUSE = Path(__file__).parent / "gateway" / "house.py"


@pytest.fixture(scope="module")
def house() -> ModuleType:
    if "servery_test_house" not in sys.modules:
        spec = importlib.util.spec_from_file_location("servery_test_house", HOUSE)
        assert spec is not None
        assert spec.loader is not None
        sys.modules["servery_test_house"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["servery_test_house"])
    return sys.modules["servery_test_house"]


@pytest.fixture(scope="module")
def home(house: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with house.open_home(tmp_path_factory.mktemp("client") / "home") as opened:
        house.furnish(opened)
        yield opened


@pytest.fixture(scope="module")
def server(house: ModuleType, home: Any) -> Iterator[Any]:
    process = house.ServerProcess(home.folder)
    process.wait_until_ready()
    yield process
    assert process.stop() == 0


@pytest.fixture
def client(server: Any, home: Any) -> Iterator[Client]:
    with Client(server.url, home.secrets["root"]) as client:
        yield client


def test_models_are_listed_and_shown(client: Client) -> None:
    assert {"broken", "drill", "loans", "reviews", "shades"} <= {model.id for model in client.models()}
    shown = client.model("reviews@production")
    assert shown.labels == ["negative", "positive"]
    assert shown.example == "great fun and quick"
    assert {row["state"] for row in client.status() if row["reference"] == "reviews@1"} == {"ready"}


def test_a_text_is_answered(client: Client, house: ModuleType) -> None:
    prediction = client.predict("reviews", house.GOOD, top_k=1)
    assert len(prediction) == 1
    assert prediction[0]["label"] == "positive"
    assert len(prediction[0]["labels"]) == 1
    assert prediction.model == "reviews@1"
    assert prediction.usage["rows"] == 1
    assert prediction.warnings == []
    assert [answer["label"] for answer in client.predict("reviews", [house.GOOD, house.BAD])] == [
        "positive",
        "negative",
    ]
    assert client.text_classification("reviews", house.BAD)[0]["label"] == "negative"


def test_a_picture_comes_as_bytes_as_a_path_or_in_a_list(
    client: Client, house: ModuleType, tmp_path: Path
) -> None:
    bright, dark = tmp_path / "bright.png", house.picture(0)
    bright.write_bytes(house.picture(250))
    assert client.predict("shades", bright)[0]["label"] == "bright"
    assert client.predict("shades", dark)[0]["label"] == "dark"
    assert [a["label"] for a in client.predict("shades", [bright, dark], top_k=1)] == ["bright", "dark"]
    assert client.image_classification("shades", bright, top_k=1)[0]["label"] == "bright"


def test_a_text_file_is_read_as_text(client: Client, house: ModuleType, tmp_path: Path) -> None:
    file = tmp_path / "review.txt"
    file.write_text(house.BAD)
    assert client.predict("reviews", file)[0]["label"] == "negative"


def test_rows_come_as_dicts_columns_and_numpy_numbers(client: Client) -> None:
    row = {"income": np.float32(1.5), "debt_ratio": np.float64(0.9), "home": "own"}
    prediction = client.predict("loans", row)
    assert prediction[0]["label"] == "default"
    assert prediction.warnings[0].code == "sample_data"
    columns = {"income": np.array([1.0, 2.0]), "debt_ratio": [0.1, 0.9], "home": ["own", "own"]}
    assert client.tabular_classification("loans", columns) == ["repay", "default"]
    assert client.tabular_classification("loans", [row]) == ["default"]


def test_a_prediction_shows_itself_and_escapes_what_it_shows(client: Client) -> None:
    shown = client.predict("loans", {"income": 1, "debt_ratio": 1, "home": "<script>"})._repr_html_()
    assert "loans@1" in shown
    assert "sample data" in shown
    assert "<script>" not in shown


def test_an_error_comes_back_as_its_own_class(server: Any, home: Any, client: Client, tmp_path: Path) -> None:
    with pytest.raises(errors.ModelNotFoundError) as missing:
        client.predict("nobody", "x")
    assert missing.value.request_id
    assert missing.value.hint
    with pytest.raises(errors.InputError) as wrong:
        client.predict("reviews", ["x", 3])
    assert wrong.value.param == "/inputs/1"
    with pytest.raises(errors.ModelLoadError):
        client.predict("broken", "x")
    with pytest.raises(errors.InputError, match="cannot be read"):
        client.predict("shades", tmp_path / "missing.png")
    with pytest.raises(errors.InputError, match="cannot be sent"):
        client.predict("reviews", {"text": float("nan")})
    with Client(server.url, "sk-servery-wrong") as stranger, pytest.raises(errors.UnauthenticatedError):
        stranger.models()
    with Client(server.url, home.secrets["only-loans"]) as guest, pytest.raises(errors.ForbiddenError):
        guest.predict("reviews", "x")
    with Client(server.url, home.secrets["root"], 0.3) as hasty, pytest.raises(errors.DeadlineError):
        hasty.predict("drill", "sleep=1.0")


def test_no_server_is_said_with_what_to_do() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with Client(f"http://127.0.0.1:{port}", "key") as client:
        with pytest.raises(errors.NotReadyError) as told:
            client.models()
        assert told.value.hint == "servery serve"


async def test_the_async_client_does_the_same(server: Any, home: Any, house: ModuleType) -> None:
    async with AsyncClient(server.url, home.secrets["root"]) as client:
        assert (await client.predict("reviews", house.GOOD))[0]["label"] == "positive"
        assert (await client.text_classification("reviews", house.BAD))[0]["label"] == "negative"
        assert (await client.image_classification("shades", house.picture(250)))[0]["label"] == "bright"
        assert await client.tabular_classification(
            "loans", {"income": [1], "debt_ratio": [0.9], "home": ["own"]}
        ) == ["default"]
        assert "reviews" in {model.id for model in await client.models()}
        assert (await client.model("reviews")).version == 1
        assert await client.status()
        with pytest.raises(errors.ModelNotFoundError):
            await client.predict("nobody", "x")


def test_the_key_comes_from_the_environment_or_the_data_home(
    server: Any, home: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVERY_HOME", str(tmp_path))
    monkeypatch.delenv("SERVERY_API_KEY", raising=False)
    with Client(server.url) as nobody, pytest.raises(errors.UnauthenticatedError):
        nobody.models()
    (tmp_path / "admin.key").write_text(home.secrets["root"] + "\n")
    with Client(server.url) as local:
        assert local.models()
    monkeypatch.setenv("SERVERY_API_KEY", home.secrets["only-loans"])
    with Client(server.url) as guest, pytest.raises(errors.ForbiddenError):
        guest.models()


class Busy(BaseHTTPRequestHandler):
    """A server that is busy for the first calls, then answers."""

    refusals: list[tuple[int, str]] = []

    def do_GET(self) -> None:
        status, retry_after = self.refusals.pop(0) if self.refusals else (200, "")
        body = b'{"data": [], "object": "list"}'
        if status != 200:
            body = b'{"error": {"message": "busy", "type": "server_error", "code": "server.overloaded"}}'
        self.send_response(status)
        if retry_after:
            self.send_header("Retry-After", retry_after)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.fixture
def busy() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


async def test_a_busy_server_is_asked_again_when_it_says(busy: str) -> None:
    Busy.refusals = [(503, "0"), (429, "0")]
    with Client(busy, "key", retries=2) as client:
        assert client.models() == []
    Busy.refusals = [(503, "0"), (429, "0")]
    async with AsyncClient(busy, "key", retries=2) as patient:
        assert await patient.models() == []
    Busy.refusals = [(503, "7")] * 3
    with Client(busy, "key", retries=0) as hasty, pytest.raises(errors.OverloadedError) as refused:
        hasty.models()
    assert refused.value.retry_after_seconds == 7
    assert len(Busy.refusals) == 2


def test_an_answer_that_is_no_answer_is_an_error_all_the_same(busy: str) -> None:
    Busy.refusals = []
    with Client(busy, "key") as client, pytest.raises(errors.ServeryError, match="cannot be read"):
        client.model("x")


def test_the_client_loads_neither_torch_nor_numpy_nor_the_server() -> None:
    code = (
        "import sys, servery.client; "
        "print([m for m in ('torch', 'numpy', 'uvicorn', 'sqlalchemy') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
