"""CPU of one request on its way through our server, without sockets: what can be measured on a machine that is busy.

Run: `python benchmarks/serving/path.py --model mlp --wire json`. The real application and the real HTTP protocol in
this process, connections that only hand over bytes; the least of many rounds, because others ever only make it slower.
What the kernel takes for reading and writing (about 30 us a request) comes on top.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import statistics
import time
from collections.abc import Sequence
from typing import Any

import uvloop
from systems import all_systems
from uvicorn.server import ServerState
from workloads import MODELS

from models import Made, made
from servery.gateway.app import Gateway, build_app
from servery.gateway.server import Server
from servery.registry.keys import Keys
from servery.registry.registry import Registry
from servery.serving.engine import Engine
from servery.settings import Settings
from servery.storage.database import Database

LEAST_ROUNDS = 20
REQUESTS_A_LOOK = 64
"""At least: to look at the clock of the CPU costs as much as a small request."""
COLLECTIONS = (100_000, 50, 100)
"""When the garbage is collected; as the server has it."""


class Connection(asyncio.Transport):
    """One connection that keeps nothing but the number of its answers."""

    def __init__(self, answered: asyncio.Event, waited_for: list[int]) -> None:
        super().__init__()
        self.last = b""
        self._answered = answered
        self._waited_for = waited_for

    def write(self, data: Any) -> None:
        """Take an answer."""
        self.last = bytes(data)
        self._waited_for[0] -= 1
        if not self._waited_for[0]:
            self._answered.set()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Name both ends."""
        return ("127.0.0.1", 1) if name in ("peername", "sockname") else default

    def is_closing(self) -> bool:
        """Return that it is open."""
        return False

    def pause_reading(self) -> None:
        """Nothing comes that was not asked for."""

    def resume_reading(self) -> None:
        """Nothing comes that was not asked for."""

    def close(self) -> None:
        """Nothing is held."""


async def measure(
    gateway: Gateway, requests: Sequence[bytes], connections: int, seconds: float
) -> dict[str, float]:
    """Return microseconds of CPU of a request: the least and the median round, each connection asking once a round."""
    config = Server(gateway, lambda _: None).config
    config.load()
    http: Any = config.http_protocol_class
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTIONS)
    answered, waited_for = asyncio.Event(), [0]
    protocols, transports = [], []
    for _ in range(connections):
        protocol = http(config=config, server_state=ServerState(), app_state={})
        transport = Connection(answered, waited_for)
        protocol.connection_made(transport)
        protocols.append(protocol)
        transports.append(transport)
    costs: list[float] = []
    rounds = -(-REQUESTS_A_LOOK // connections)
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at or len(costs) < LEAST_ROUNDS:
        started = time.process_time()
        for _ in range(rounds):
            waited_for[0] = connections
            answered.clear()
            for place, protocol in enumerate(protocols):
                protocol.data_received(requests[(len(costs) + place) % len(requests)])
            await answered.wait()
        costs.append((time.process_time() - started) * 1e6 / connections / rounds)
    if not transports[0].last.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"It answered {transports[0].last[:500]!r}")
    for protocol in protocols:
        protocol.connection_lost(None)
    return {
        "least_us": round(min(costs), 1),
        "median_us": round(statistics.median(costs), 1),
        "rounds": len(costs),
    }


async def _run(target: Made, wire: str, connections: int, seconds: float) -> dict[str, float]:
    settings = Settings(home=target.home)
    database = Database.open(settings.database_url)
    registry = Registry(database, settings.artifacts)
    gateway = build_app(settings, Engine(registry, settings), Keys(database, settings.home / "pepper.key"))
    inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    outbox: asyncio.Queue[Any] = asyncio.Queue()
    life = asyncio.create_task(gateway({"type": "lifespan"}, inbox.get, outbox.put))
    await inbox.put({"type": "lifespan.startup"})
    await outbox.get()
    try:
        system = all_systems()["servery-1"]
        requests = [system.request(target, value, wire) for value in target.inputs]
        return await measure(gateway, requests, connections, seconds)
    finally:
        await inbox.put({"type": "lifespan.shutdown"})
        await life
        database.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="mlp", choices=list(MODELS))
    parser.add_argument("--wire", default="json", choices=["json", "binary"])
    parser.add_argument("--connections", type=int, nargs="*", default=[1, 16, 64])
    parser.add_argument("--seconds", type=float, default=3.0)
    arguments = parser.parse_args()
    target = made(MODELS[arguments.model])
    for connections in arguments.connections:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            found = runner.run(_run(target, arguments.wire, connections, arguments.seconds))
        print(
            json.dumps(
                {"model": arguments.model, "wire": arguments.wire, "connections": connections, **found}
            )
        )


if __name__ == "__main__":
    main()
