"""Whether the smart home's models fit a small box: memory of the whole server, time of an answer, and no torch in it.

Run: `OMP_NUM_THREADS=1 python benchmarks/serving/small_box.py`. Trains two models on the seeded samples, exports them
to ONNX, serves both from one process and asks them one request after the other through the Python client.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine

import servery

MODELS = {
    "occupancy": ("--data", "sample", "--recipe", "mlp"),
    "commands": ("--data", "commands-sample", "--recipe", "joint-cnn"),
}
WARM, ROUNDS = 50, 500


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        home = {"SERVERY_HOME": folder, "SERVERY_PORT": str(port), "SERVERY_GRPC_PORT": "0"}
        environment = {**os.environ, **home}
        for name, options in MODELS.items():
            arguments = ["train", "--field", "smart-home", "--name", name, "--deadline", "60s", *options]
            _servery(environment, *arguments)
            _servery(environment, "deploy", name)
        with subprocess.Popen([_program(), "serve"], env=environment, stdout=subprocess.DEVNULL) as server:
            try:
                _ask(Path(folder), port, server.pid)
            finally:
                server.terminate()


def _ask(folder: Path, port: int, process_id: int) -> None:
    url = f"http://127.0.0.1:{port}"
    while not (folder / "admin.key").exists():
        time.sleep(0.1)
    with servery.Client(url, api_key=(folder / "admin.key").read_text().strip()) as client:
        _wait(client)
        for name in MODELS:
            example = client.model(name).example
            took = []
            for _ in range(WARM + ROUNDS):
                began = time.perf_counter()
                client.predict(name, [example])
                took.append((time.perf_counter() - began) * 1000)
            took = sorted(took[WARM:])
            print(f"{name}: p50 {statistics.median(took):.2f} ms, p99 {took[int(len(took) * 0.99)]:.2f} ms")
    maps = Path(f"/proc/{process_id}/maps").read_text()
    print(
        f"server: {machine.pss_kib(process_id) / 1024:.0f} MiB, torch {'is' if 'libtorch' in maps else 'is not'} loaded"
    )


def _wait(client: servery.Client) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            if len(client.models()) == len(MODELS):
                return
        except servery.errors.ServeryError:
            pass
        time.sleep(0.2)
    raise SystemExit("The server did not become ready.")


def _servery(environment: dict[str, str], *arguments: str) -> None:
    subprocess.run([_program(), *arguments], env=environment, check=True, stdout=subprocess.DEVNULL)


def _program() -> str:
    return str(Path(sys.executable).with_name("servery"))


if __name__ == "__main__":
    main()
