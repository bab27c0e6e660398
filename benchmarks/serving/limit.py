"""How fast a model is without a server: batches of one size, one after the other, in a process of its own.

Run: `python benchmarks/serving/limit.py encoder 16 --seconds 3`, or with `--processes 2` as two such processes at once.
Prints one JSON object: rows a second of the forward pass alone, and with reading the inputs and making the answers.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from workloads import MODELS

from models import made
from servery.models.predictor import Predictor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=list(MODELS))
    parser.add_argument("batch", type=int)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--runtime", default="")
    arguments = parser.parse_args()
    if arguments.processes > 1:
        print(json.dumps(_at_once(arguments)))
        return
    target = made(MODELS[arguments.model], arguments.runtime)
    predictor = Predictor.load(target.folder / "predictor", threads=1)
    rows = [_row(predictor, value) for value in target.inputs[: arguments.batch]]
    batch = predictor.encode(rows)
    found = {
        "forward_per_second": _rate(lambda: predictor.run(batch), arguments.batch, arguments.seconds / 2),
        "predict_per_second": _rate(lambda: predictor.predict(rows), arguments.batch, arguments.seconds / 2),
    }
    print(json.dumps(found))


def _row(predictor: Predictor, value: Any) -> dict[str, Any]:
    name = predictor.signature.inputs[0].name
    return {name: value if isinstance(value, str) else np.array(value, np.float32)}


def _rate(call: Callable[[], Any], rows: int, seconds: float) -> float:
    call()
    started = time.perf_counter()
    count = 0
    while (passed := time.perf_counter() - started) < seconds or count < 2:
        call()
        count += 1
        passed = time.perf_counter() - started
    return count * rows / passed


def _at_once(arguments: argparse.Namespace) -> dict[str, float]:
    command = [sys.executable, str(Path(__file__)), arguments.model, str(arguments.batch)]
    command += ["--seconds", str(arguments.seconds), "--runtime", arguments.runtime]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(arguments.processes)]
    found = [json.loads(process.communicate()[0]) for process in running]
    return {name: sum(result[name] for result in found) for name in found[0]}


if __name__ == "__main__":
    main()
