"""The clients of placement.py: connections that ask with one byte, again as soon as they are answered.

Run: python placement_clients.py PORT CLIENTS SECONDS; prints what was seen as JSON.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import sys
import time
from typing import cast

import uvloop


async def drive(port: int, clients: int, seconds: float) -> None:
    """Ask from this process, and print what was seen."""
    loop = asyncio.get_running_loop()
    latencies: list[float] = []
    ends_at = math.inf
    over = asyncio.Event()

    class Client(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
            everyone.append(self)

        def ask(self) -> None:
            self.asked_at = time.perf_counter()
            self.transport.write(b"?")

        def data_received(self, data: bytes) -> None:
            latencies.append(time.perf_counter() - self.asked_at)
            if time.perf_counter() > ends_at:
                over.set()
            else:
                self.ask()

    everyone: list[Client] = []
    for _ in range(clients):
        await loop.create_connection(Client, "127.0.0.1", port)
    ends_at = time.perf_counter() + seconds
    for client in everyone:
        client.ask()
    await over.wait()
    p99_ms = sorted(latencies)[int(len(latencies) * 0.99)] * 1000
    print(json.dumps({"p99_ms": p99_ms, "cpu_seconds": sum(os.times()[:2])}))


if __name__ == "__main__":
    uvloop.run(drive(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
