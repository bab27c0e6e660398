"""Moves an alias between two versions a hundred times while clients ask without a pause; counts what failed.

Run: python benchmarks/serving/hot_swap.py --swaps 100 --clients 8
A real server in its own process, a real data home in a temporary folder, two tfidf-linear versions of the sample.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from servery.client import AsyncClient, Client
from servery.errors import ServeryError
from servery.pipeline.deploy import deploy
from servery.pipeline.plan import Plan
from servery.pipeline.train import train
from servery.pipeline.workspace import Workspace, admin_key


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--swaps", type=int, default=100)
    parser.add_argument("--clients", type=int, default=8)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.open(folder)
        for seed in (0, 1):
            plan = Plan("reviews", "sentiment-analysis", "sample", recipe="tfidf-linear", seed=seed)
            train(plan, workspace)
        deploy("reviews@1", workspace=workspace)
        url, server = start(Path(folder))
        try:
            asyncio.run(measure(url, workspace, arguments.swaps, arguments.clients))
        finally:
            server.terminate()
            print("server left with", server.wait(timeout=30))


def start(home: Path) -> tuple[str, subprocess.Popen[bytes]]:
    """Start a server and wait until it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {**os.environ, "SERVERY_HOME": str(home), "SERVERY_PORT": str(port)}
    command = [sys.executable, "-m", "servery.cli.main", "serve"]
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    with Client(f"http://127.0.0.1:{port}", api_key=admin_key(home), retries=0) as client:
        while True:
            try:
                client.predict("reviews", "slow and rude")
                return f"http://127.0.0.1:{port}", server
            except ServeryError:
                time.sleep(0.1)


async def measure(url: str, workspace: Workspace, swaps: int, clients: int) -> None:
    """Ask from many clients while the alias moves; print answers by version, and failures by code."""
    answered: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    is_over = asyncio.Event()

    async def ask() -> None:
        async with AsyncClient(url, api_key=admin_key(workspace.settings.home), retries=0) as client:
            while not is_over.is_set():
                try:
                    answered[(await client.predict("reviews", "slow and rude")).model] += 1
                except ServeryError as error:
                    failed[error.code] += 1

    tasks = [asyncio.create_task(ask()) for _ in range(clients)]
    started = time.monotonic()
    for number in range(swaps):
        await asyncio.to_thread(deploy, f"reviews@{number % 2 + 1}", workspace=workspace)
        await asyncio.sleep(0.3)
    is_over.set()
    await asyncio.gather(*tasks)
    seconds = time.monotonic() - started
    print(
        f"{swaps} swaps in {seconds:.0f} s, {sum(answered.values()):,} answers {dict(answered)}, failed {dict(failed)}"
    )


if __name__ == "__main__":
    main()
