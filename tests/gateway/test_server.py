"""Starting a server: the port, the address, the first key."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from servery.errors import ConflictError
from servery.gateway import ports
from servery.gateway.app import build_app
from servery.gateway.permission import Permission
from servery.gateway.route import static
from servery.serving.engine import Engine
from servery.settings import Settings


def test_a_taken_port_is_one_clear_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(ConflictError, match=f"Port {port} on 127.0.0.1 is in use") as refused,
            ports.held(Settings(home=tmp_path, port=port)),
        ):
            pass
        assert refused.value.hint == f"servery serve --port {port + 1}"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_an_address_that_others_can_reach_must_be_allowed(tmp_path: Path, host: str) -> None:
    settings = Settings(home=tmp_path, host=host, port=0)
    with pytest.raises(ConflictError, match="reached from other machines"), ports.held(settings):
        pass


def test_an_address_that_others_can_reach_can_be_allowed(tmp_path: Path) -> None:
    with ports.held(Settings(home=tmp_path, host="0.0.0.0", port=0, allow_remote=True)) as held:
        assert held.port > 0


def test_the_first_start_makes_an_admin_key_and_the_next_one_does_not(
    house: ModuleType, tmp_path: Path
) -> None:
    secrets = []
    for _ in range(2):
        process = house.ServerProcess(tmp_path)
        key_file = tmp_path / "admin.key"
        assert key_file.stat().st_mode & 0o777 == 0o600
        secrets.append(key_file.read_text().strip())
        assert process.stop() == 0
    assert secrets[0] == secrets[1]


async def test_pages_from_above_are_served_as_they_are(house: ModuleType, tmp_path: Path) -> None:
    page = static("/", b"<h1>hello</h1>", "text/html", "A page.", Permission.PUBLIC, cache_control="no-cache")
    with house.open_home(tmp_path / "home") as home:
        app = build_app(home.settings, Engine(home.registry, home.settings), home.keys, [page])
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            answer = await client.get("/")
    assert answer.text == "<h1>hello</h1>"
    assert answer.headers["content-type"] == "text/html"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_server_loads_neither_torch_nor_training_code(house: ModuleType) -> None:
    code = (
        "import sys, json, servery.gateway.server, servery.gateway.app as app; app.protocol_routes();"
        "print(json.dumps([m for m in sys.modules if m.split('.')[0] in ('torch', 'fastapi') "
        "or m.startswith(('servery.training', 'servery.pipeline', 'servery.fields'))]))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(found.stdout) == []


def test_a_taken_grpc_port_says_which_setting_to_change(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(ConflictError, match=f"Port {port} on 127.0.0.1 is in use") as refused,
            ports.held(Settings(home=tmp_path, port=0, grpc_port=port)),
        ):
            pass
        assert refused.value.hint == f"SERVERY_GRPC_PORT={port + 1}, or off"
        assert refused.value.param == "grpc_port"


def test_a_port_that_workers_share_is_not_shared_with_another_server(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, port=0, workers=2)
    with ports.held(settings) as held:
        workers = [ports.listening(held.host, held.port) for _ in range(2)]
        for worker in workers:
            worker.listen()
        with (
            pytest.raises(ConflictError, match="in use"),
            ports.held(Settings(home=tmp_path, port=held.port)),
        ):
            pass
        for worker in workers:
            worker.close()


def test_grpc_can_be_turned_off(house: ModuleType, tmp_path: Path) -> None:
    process = house.ServerProcess(tmp_path, {"SERVERY_GRPC_PORT": "off"})
    assert process.grpc == ""
    assert process.stop() == 0


def test_grpc_is_told_with_its_real_port_and_answers_in_every_worker(
    house: ModuleType, tmp_path: Path
) -> None:
    pytest.importorskip("grpc_health")
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    process = house.ServerProcess(tmp_path, {"SERVERY_WORKERS": "2"})
    process.wait_until_ready()
    for number in range(6):
        # A connection each: those of one process are shared unless they differ in an option.
        with grpc.insecure_channel(process.grpc, [("servery.test", number)]) as channel:
            health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
            assert health.status == health_pb2.HealthCheckResponse.SERVING
    assert process.stop() == 0
