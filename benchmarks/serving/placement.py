"""Where a forward pass should run: on the event loop or in a thread? Models of 0.1 to 16 ms, both places by turns.

Run: OMP_NUM_THREADS=1 python benchmarks/serving/placement.py --rounds 3 --seconds 1
Clients in another process ask through sockets, a byte a question, again as soon as they are answered; so questions come
as they do in a server: spread, in the order of the answers. Each also costs the event loop what a server spends on it
(`--wire-us`: reading, decoding, booking, writing). CPU is the server's alone. A row with a lot of foreign CPU (neither
ours nor the clients') supports nothing by itself: look at the ratios within a round.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import uvloop

from servery.data.columns import Column, Kind, Role
from servery.models.encoder import Batch, Encoder
from servery.models.predictor import Predictor
from servery.models.runtime import Runtime
from servery.models.signature import Signature
from servery.serving.batcher import Batcher
from servery.tasks.classification import ClassificationParameters
from servery.tasks.task import Calibration

FORWARD_MS = (0.1, 0.3, 1.0, 2.5, 6.0, 16.0)
TYPICAL_ROWS = 16
"""Rows of the batch that takes the forward time a model is named after."""
WIDTH = 192
CLIENTS = Path(__file__).with_name("placement_clients.py")
LABELS = 10


class Vectors(Encoder):
    """Stacks the rows."""

    name = "vectors"

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return `x`, float32, (rows, WIDTH)."""
        return {"x": np.stack([example["x"] for example in examples])}

    def state(self) -> dict[str, Any]:
        """Return nothing: nothing was learned."""
        return {}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Vectors:
        """Return one."""
        return cls()


class Layers(Runtime):
    """Dense layers in eager torch: between them the interpreter's lock is held, as in real models."""

    name = "layers"

    def __init__(self, count: int) -> None:
        torch.manual_seed(0)
        layers = [layer for _ in range(count) for layer in (torch.nn.Linear(WIDTH, WIDTH), torch.nn.ReLU())]
        self.network = torch.nn.Sequential(*layers, torch.nn.Linear(WIDTH, LABELS)).eval()

    def run(self, batch: Batch) -> np.ndarray:
        """Return logits, float32, (rows, LABELS)."""
        with torch.inference_mode():
            return self.network(torch.from_numpy(batch["x"])).numpy()  # type: ignore[no-any-return]

    def save(self, folder: Path) -> None:
        """Do nothing: it is made for this benchmark only."""

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> Layers:
        """Return one layer."""
        return cls(1)


@dataclass(frozen=True)
class Round:
    """What one place did in one round."""

    requests_per_second: float
    cpu_us: float
    p99_ms: float
    lag_p99_ms: float
    mean_rows: float
    foreign_cores: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--clients", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--wire-us", type=float, default=100.0)
    parser.add_argument("--forward-ms", type=float, nargs="+", default=list(FORWARD_MS))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    columns = (
        "forward ms",
        "clients",
        "place",
        "req/s",
        "CPU us",
        "p99 ms",
        "lag p99",
        "rows",
        "foreign",
        "ratio",
    )
    print(" | ".join(columns))
    for forward_ms in arguments.forward_ms:
        model = build(forward_ms)
        for clients in arguments.clients:
            compare(model, forward_ms, clients, arguments)


def compare(model: Predictor, forward_ms: float, clients: int, arguments: argparse.Namespace) -> None:
    """Run both places by turns, and print a line for each; `ratio` is thread / inline, round by round."""
    rounds: dict[bool, list[Round]] = {True: [], False: []}
    for number in range(arguments.rounds):
        for is_inline in (True, False) if number % 2 == 0 else (False, True):
            one = uvloop.run(ask(model, is_inline, clients, arguments.seconds, arguments.wire_us / 1e6))
            rounds[is_inline].append(one)
    ratios = [
        thread.requests_per_second / inline.requests_per_second
        for inline, thread in zip(rounds[True], rounds[False], strict=True)
    ]
    for is_inline, found in rounds.items():
        values = [
            *(statistics.median(getattr(one, name) for one in found) for name in Round.__dataclass_fields__),
        ]
        shown = [f"{value:.2f}" if value < 100 else f"{value:.0f}" for value in values]
        told = "" if is_inline else " ".join(f"{ratio:.2f}" for ratio in ratios)
        place = "inline" if is_inline else "thread"
        print(" | ".join([f"{forward_ms:g}", str(clients), place, *shown, told]), flush=True)


def build(forward_ms: float) -> Predictor:
    """Return a model whose batch of 16 rows takes about so long."""
    probe = 50
    batch = {"x": np.zeros((TYPICAL_ROWS, WIDTH), np.float32)}
    layer_ms = least_ms(Layers(probe), batch) / probe
    runtime = Layers(max(1, round(forward_ms / layer_ms)))
    print(f"# {forward_ms:g} ms: {least_ms(runtime, batch):.2f} ms measured for {TYPICAL_ROWS} rows")
    signature = Signature(
        task="classification",
        field="benchmark",
        inputs=(Column("x", Kind.TENSOR, Role.INPUT, shape=(WIDTH,)),),
        labels=tuple(f"label {number}" for number in range(LABELS)),
    )
    return Predictor(signature, Vectors(), runtime, Calibration(), recipe="layers")


def least_ms(runtime: Runtime, batch: Batch) -> float:
    times = []
    for _ in range(15):
        started = time.perf_counter()
        runtime.run(batch)
        times.append((time.perf_counter() - started) * 1000)
    return min(times)


async def ask(model: Predictor, is_inline: bool, clients: int, seconds: float, wire_seconds: float) -> Round:
    """Serve clients of another process for a while."""
    batcher = Batcher(
        model, max_batch_rows=64, max_queue_rows=4096, inline_work=math.inf if is_inline else 0.0
    )
    examples = [{"x": np.random.default_rng(0).normal(size=WIDTH).astype(np.float32)}]
    parameters = ClassificationParameters(top_k=1)
    lags: list[float] = []

    async def answer(transport: asyncio.Transport) -> None:
        burn(wire_seconds / 2)
        await batcher.submit(examples, parameters)
        burn(wire_seconds / 2)
        if not transport.is_closing():
            transport.write(b"x")

    async def watch() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.002)
            lags.append(time.perf_counter() - began - 0.002)

    loop = asyncio.get_running_loop()
    tasks = {loop.create_task(watch())}

    class Connection(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class

        def data_received(self, data: bytes) -> None:
            task = loop.create_task(answer(self.transport))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    server = await loop.create_server(Connection, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    own, (busy, began) = time.process_time(), (busy_seconds(), time.perf_counter())
    driver = await asyncio.create_subprocess_exec(
        *(sys.executable, str(CLIENTS), str(port), str(clients), str(seconds)), stdout=subprocess.PIPE
    )
    told = json.loads((await driver.communicate())[0])
    own, elapsed = time.process_time() - own, time.perf_counter() - began
    foreign = max(busy_seconds() - busy - own - told["cpu_seconds"], 0.0) / elapsed
    for task in tasks:
        task.cancel()
    server.close()
    batcher.close()
    counts = batcher.counts
    return Round(
        counts.rows / seconds,
        own / counts.rows * 1e6,
        told["p99_ms"],
        float(np.quantile(lags, 0.99)) * 1000,
        counts.rows / counts.batches,
        foreign,
    )


def burn(seconds: float) -> None:
    """Spend the event loop's time, holding the interpreter's lock."""
    ends_at = time.perf_counter() + seconds
    while time.perf_counter() < ends_at:
        pass


def busy_seconds() -> float:
    """Return what all cores have spent on anything but waiting, by whomever, the hypervisor's share included."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    idle = fields[3] + fields[4]
    return (sum(fields[:8]) - idle) / 100


if __name__ == "__main__":
    main()
