"""How long the event loop is held while a model runs: liveness probes beside a load, seen from outside.

Run: `python benchmarks/serving/blocked.py --model encoder --connections 16 64`. The probes come 200 times a second and
touch no model. What they wait is the loop's own delay, that of the machine's scheduler, and their own 0.1 ms; so they
are also timed beside a model that runs without a server, when ours is idle: that is the machine's part.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from typing import Any

from running import Running, end_on_signals, expect, finish_load, running, start_load
from systems import systems_named
from systems._system import HERE
from workloads import MODELS

from models import fresh_home, made

PROBE = b"GET /livez HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
RATE = 200.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="encoder", choices=list(MODELS))
    parser.add_argument("--connections", type=int, nargs="*", default=[16, 64])
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--system", default="servery-1")
    arguments = parser.parse_args()
    end_on_signals()
    model = made(MODELS[arguments.model])
    fresh_home(model)
    with running(systems_named([arguments.system])[0], model) as target:
        print(json.dumps({"beside": "nothing", **_probed(target, arguments.seconds)}))
        print(json.dumps({"beside": "a model without a server", **_beside_limit(target, arguments)}))
        for connections in arguments.connections:
            print(
                json.dumps(
                    {"beside": f"{connections} connections", **_beside(target, connections, arguments)}
                )
            )


def _probed(target: Running, seconds: float) -> dict[str, Any]:
    prober = start_load(target.port, [PROBE], connections=8, seconds=seconds, phases=[(RATE, seconds)])
    result = finish_load(prober)
    return {name: result[name] for name in ("answered", "p50_ms", "p95_ms", "p99_ms", "max_ms", "errors")}


def _beside_limit(target: Running, arguments: argparse.Namespace) -> dict[str, Any]:
    command = [
        sys.executable,
        str(HERE / "limit.py"),
        arguments.model,
        "16",
        "--seconds",
        str(2 * arguments.seconds),
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment) as process:
        time.sleep(3.0)  # it imports its libraries first
        found = _probed(target, arguments.seconds)
        process.kill()
    return found


def _beside(target: Running, connections: int, arguments: argparse.Namespace) -> dict[str, Any]:
    seconds = arguments.seconds + 2.0
    loader = start_load(target.port, target.requests_on("json"), connections=connections, seconds=seconds)
    expect(loader, "begin")
    time.sleep(1.0)
    found = _probed(target, arguments.seconds)
    result = finish_load(loader)
    return {**found, "answers_per_second": round(result["requests_per_second"])}


if __name__ == "__main__":
    main()
