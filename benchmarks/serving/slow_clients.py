"""A thousand slow or silent connections: when they are cut, and what the others notice.

Run: `python benchmarks/serving/slow_clients.py --connections 1000`. A third says nothing, a third sends its head a byte
a second, a third sends its head at once and then its body a byte a second. Meanwhile sixteen others ask as usual. The
deadlines are shortened, so that a round takes seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import threading
import time
from dataclasses import dataclass, field

from running import Running, end_on_signals, load, running
from systems import systems_named
from workloads import MODELS

from models import fresh_home, made

KINDS = ("silent", "slow head", "slow body")
PATIENCE_SECONDS = 5.0
"""After the deadline; who is still connected then was not cut."""


@dataclass
class Crowd:
    """Slow clients, and when each was cut."""

    target: Running
    connections: int
    deadline_seconds: float
    cut_after: dict[str, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    connected: threading.Event = field(default_factory=threading.Event)
    refused: int = 0

    def run(self) -> None:
        """Connect, be slow, and wait to be cut."""
        asyncio.run(self._run())

    async def _run(self) -> None:
        opened = await asyncio.gather(*(self._open() for _ in range(self.connections)))
        self.connected.set()
        await asyncio.gather(
            *(
                self._be_slow(pair, KINDS[number % 3])
                for number, pair in enumerate(opened)
                if pair is not None
            )
        )

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
        try:
            return await asyncio.open_connection("127.0.0.1", self.target.port)
        except OSError:
            self.refused += 1
            return None

    async def _be_slow(self, pair: tuple[asyncio.StreamReader, asyncio.StreamWriter], kind: str) -> None:
        reader, writer = pair
        started = time.monotonic()
        sender = asyncio.create_task(self._send(writer, kind))
        try:
            async with asyncio.timeout(self.deadline_seconds + PATIENCE_SECONDS):
                while await reader.read(4096):
                    pass  # the answer that says why, before the end
            self.cut_after[kind].append(time.monotonic() - started)
        except ConnectionError:
            self.cut_after[kind].append(time.monotonic() - started)
        except TimeoutError:
            pass
        finally:
            sender.cancel()
            writer.close()

    async def _send(self, writer: asyncio.StreamWriter, kind: str) -> None:
        request = self.target.requests_on("json")[0]
        head_end = request.index(b"\r\n\r\n") + 4
        place = 0
        if kind == "slow body":
            writer.write(request[:head_end])
            place = head_end
        while kind != "silent":
            await asyncio.sleep(1.0)
            writer.write(request[place : place + 1])
            place += 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--deadline", type=float, default=8.0, help="seconds for a head, and for a body")
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--system", default="servery-1")
    arguments = parser.parse_args()
    end_on_signals()
    model = made(MODELS["mlp"])
    fresh_home(model)
    deadline = str(arguments.deadline)
    bounds = {"SERVERY_HEADER_TIMEOUT_SECONDS": deadline, "SERVERY_BODY_TIMEOUT_SECONDS": deadline}
    ratios = []
    with running(systems_named([arguments.system])[0], model, bounds) as target:
        load(target, "json", connections=16, seconds=1.0)
        for _ in range(arguments.rounds):
            ratios.append(_round(target, arguments))
    print(json.dumps({"p99_ratio": round(statistics.median(ratios), 2)}))


def _round(target: Running, arguments: argparse.Namespace) -> float:
    alone = load(target, "json", connections=16, seconds=arguments.seconds)
    crowd = Crowd(target, arguments.connections, arguments.deadline)
    thread = threading.Thread(target=crowd.run)
    thread.start()
    crowd.connected.wait(60)
    beside = load(target, "json", connections=16, seconds=arguments.seconds)
    thread.join()
    after = load(target, "json", connections=16, seconds=arguments.seconds)
    print(
        json.dumps(
            {
                "p99_ms": {"alone": alone.result["p99_ms"], "beside": beside.result["p99_ms"]},
                "p99_ms_after": after.result["p99_ms"],
                "per_second": {
                    "alone": round(alone.result["requests_per_second"]),
                    "beside": round(beside.result["requests_per_second"]),
                },
                "refused_at_the_door": crowd.refused,
                "cut": {kind: len(cut) for kind, cut in crowd.cut_after.items()},
                "cut_after_seconds": {
                    kind: [round(min(cut), 1), round(max(cut), 1)]
                    for kind, cut in crowd.cut_after.items()
                    if cut
                },
                "memory_mib": {"alone": round(alone.memory_mib), "beside": round(beside.memory_mib)},
                "others_took_cores": round(beside.use.foreign_cores, 2),
            }
        )
    )
    return float(beside.result["p99_ms"] / alone.result["p99_ms"])


if __name__ == "__main__":
    main()
