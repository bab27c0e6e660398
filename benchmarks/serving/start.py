"""From the command to the first right answer, and the memory beyond a process that only holds the model.

Run: `python benchmarks/serving/start.py --models mlp lstm --rounds 5`. One worker; memory is the proportional set size
(PSS) of all its processes, after a second of load.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys

import machine
from running import end_on_signals, load, running
from systems import systems_named
from workloads import MODELS

from models import Made, fresh_home, made

BARE = """
import json, sys
from pathlib import Path
import numpy as np
from servery.models.predictor import Predictor
folder = Path(sys.argv[1])
predictor = Predictor.load(folder / "predictor", threads=1)
value = json.loads((folder / "inputs.json").read_text())[0]
value = value if isinstance(value, str) else np.array(value, np.float32)
name = predictor.signature.inputs[0].name
for rows in (1, 16):
    predictor.predict([{name: value}] * rows)
print("ready", flush=True)
sys.stdin.read()
"""
"""Loads the model the way the server does and answers twice: what nobody who serves it could do without."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="*", default=["mlp", "lstm", "encoder"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--systems", nargs="*", default=["servery-1"])
    arguments = parser.parse_args()
    end_on_signals()
    for name in arguments.models:
        model = made(MODELS[name])
        fresh_home(model)
        for system in systems_named(arguments.systems):
            _measure(name, model, system.name, arguments.rounds)


def _measure(name: str, model: Made, system: str, rounds: int) -> None:
    starts, memory, bare = [], [], []
    for _ in range(rounds + 1):
        with running(systems_named([system])[0], model) as target:
            starts.append(target.start_seconds)
            memory.append(load(target, "json", connections=16, seconds=1.0).memory_mib)
        bare.append(bare_memory_mib(model))
    # The very first start of a version also measures where it runs best; it is named apart.
    found = {
        "model": name,
        "system": system,
        "first_start_seconds": round(starts[0], 2),
        "start_seconds": round(statistics.median(starts[1:]), 2),
        "slowest_seconds": round(max(starts[1:]), 2),
        "memory_mib": round(statistics.median(memory[1:]), 1),
        "bare_mib": round(statistics.median(bare), 1),
        "over_bare_mib": round(statistics.median(memory[1:]) - statistics.median(bare), 1),
    }
    print(json.dumps(found))


def bare_memory_mib(model: Made) -> float:
    """Return the memory of a process that holds the model and nothing else."""
    command = [sys.executable, "-c", BARE, str(model.folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        found = machine.pss_kib(process.pid) / 1024
        assert process.stdin is not None
        process.stdin.close()
        process.wait(20)
    return found


if __name__ == "__main__":
    main()
