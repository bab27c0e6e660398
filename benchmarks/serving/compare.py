"""Measures Servery against its peers: rounds that alternate the systems, the same weights and requests for all.

Run, on a machine that does nothing else: `python benchmarks/serving/compare.py` (about 25 minutes), or a part of it:
`--rows mlp-json-64 'encoder-*' --systems servery litserve --rounds 5 --seconds 4`. Writes the figures of every run to
`results/`, with the cores that others and the hypervisor took beside each, and the table to standard output;
`python table.py FILE` makes the table again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import machine
import table
from running import Running, WrongAnswerError, end_on_signals, load, running
from systems import all_systems, systems_named
from systems._system import HERE, System
from systems.servery import ONE_WORKER
from workloads import MODELS, ROWS, Row, rows_like

from models import Made, fresh_home, made

ALL = (
    "servery",
    "servery-1",
    "fastapi",
    "fastapi-def",
    "litserve",
    "triton",
    "torchserve",
    "bentoml",
    "mlserver",
)
SOME = ("servery", "servery-1", "fastapi", "litserve", "triton")
USUAL = {
    "mlp": ALL,
    "lstm": SOME,
    "encoder": SOME,
    "heavy": (*SOME, "torchserve", "bentoml", "mlserver"),
}
"""The systems that each model is measured on, unless the command line names others."""
SECONDS = {"mlp": 1.0, "lstm": 1.0, "encoder": 1.0, "heavy": 2.0}
"""How much longer a run is than `--seconds`: slow answers are few."""
FIRST_WARM_SECONDS, NEXT_WARM_SECONDS = 1.0, 0.5


def main() -> None:
    arguments = _arguments()
    end_on_signals()
    rows = rows_like(arguments.rows)
    if not rows:
        raise SystemExit(f"No such row; there are {', '.join(row.name for row in ROWS)}.")
    report: dict[str, Any] = {
        "begun": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine.describe(),
        "python": platform.python_version(),
        "options": vars(arguments) | {"output": str(arguments.output)},
        "systems": {},
        "runs": [],
        "limits": [],
        "problems": [],
    }
    try:
        for model in dict.fromkeys(row.model for row in rows):
            _measure_model(model, [row for row in rows if row.model == model], arguments, report)
    finally:
        if report["runs"]:
            arguments.output.parent.mkdir(parents=True, exist_ok=True)
            arguments.output.write_text(json.dumps(report, indent=1), encoding="utf-8")
            print(table.rendered(report))
            print(f"All figures: {arguments.output}", file=sys.stderr)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", nargs="*", default=["*"], help="names or patterns of rows")
    parser.add_argument("--systems", nargs="*", default=[], help=f"of {', '.join(all_systems())}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="of one run; slow models run longer")
    parser.add_argument(
        "--runtime", default="", help="onnx or torch in every system, instead of the model's own"
    )
    parser.add_argument("--without-limits", action="store_true", help="leave the in-process limits out")
    name = f"compare-{datetime.now(UTC):%Y%m%d-%H%M}.json"
    parser.add_argument("--output", type=Path, default=HERE / "results" / name)
    return parser.parse_args()


def _measure_model(name: str, rows: list[Row], arguments: argparse.Namespace, report: dict[str, Any]) -> None:
    model = made(MODELS[name], arguments.runtime)
    systems = systems_named(arguments.systems or USUAL[name])
    for system in list(systems):
        problem = system.missing()
        if problem:
            _note(report, system, name, problem)
            systems.remove(system)
        else:
            report["systems"].setdefault(system.name, {"title": system.title, "version": system.version()})
    if any(system.name.startswith("servery") for system in systems):
        fresh_home(model)
        with running(ONE_WORKER, model):
            pass  # the first load measures where the model runs best, once for all rounds
    seconds = arguments.seconds * SECONDS[name]
    for number in range(arguments.rounds):
        # Each round begins with another system, so that none is always the first or always after the same one.
        turn = number % max(len(systems), 1)
        for system in systems[turn:] + systems[:turn]:
            try:
                for run in _measure_system(system, model, rows, seconds):
                    report["runs"].append({"round": number, "system": system.name, **run})
            except (RuntimeError, WrongAnswerError, OSError, subprocess.SubprocessError) as error:
                _note(report, system, name, f"{type(error).__name__}: {error}")
        if not arguments.without_limits:
            report["limits"].extend(_limits(model, rows, number, seconds))


def _note(report: dict[str, Any], system: System, model: str, problem: str) -> None:
    report["problems"].append({"system": system.name, "model": model, "problem": problem})
    print(f"{system.name}, {model}: {problem}", file=sys.stderr)


def _measure_system(system: System, model: Made, rows: list[Row], seconds: float) -> Iterator[dict[str, Any]]:
    with running(system, model) as target:
        warm_seconds = max(system.warm_seconds, FIRST_WARM_SECONDS)
        for row in rows:
            if row.wire in system.wires:
                yield _measure_row(target, row, seconds, warm_seconds)
                warm_seconds = NEXT_WARM_SECONDS


def _measure_row(target: Running, row: Row, seconds: float, warm_seconds: float) -> dict[str, Any]:
    if row.rate and warm_seconds > NEXT_WARM_SECONDS:
        load(target, row.wire, connections=64, seconds=warm_seconds)
    found = load(
        target,
        row.wire,
        connections=row.connections,
        rate=row.rate,
        seconds=seconds if not row.rate else max(seconds, 4.0),
        warm_seconds=warm_seconds,
    )
    result = found.result
    figures = {
        "row": row.name,
        "start_seconds": round(target.start_seconds, 2),
        **{name: result[name] for name in ("answered", "requests_per_second", "errors", "generator_cores")},
        **{name: result[name] for name in ("p50_ms", "p95_ms", "p99_ms", "max_ms")},
        "checked": len(result["samples"]),
        "cpu_ms": found.cpu_ms,
        "memory_mib": found.memory_mib,
        "threads": found.threads,
        **asdict(found.use),
    }
    print(
        f"{time.strftime('%H:%M:%S')} {row.name:14} {target.system.name:10} {result['requests_per_second']:8.0f}/s"
        f"  p99 {result['p99_ms']:8.1f} ms  foreign {found.use.foreign_cores:.2f}  stolen {found.use.stolen_cores:.2f}",
        file=sys.stderr,
    )
    return figures


def _limits(model: Made, rows: list[Row], number: int, seconds: float) -> Iterator[dict[str, Any]]:
    for row in rows:
        for processes in [1, 2][: row.limit_batch]:
            command = [
                sys.executable,
                str(HERE / "limit.py"),
                row.model,
                str(max(row.limit_batch // processes, 1)),
            ]
            command += ["--seconds", str(seconds), "--processes", str(processes), "--runtime", model.runtime]
            variables = {**os.environ, "OMP_NUM_THREADS": "1"}
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=variables)
            found = json.loads(done.stdout)
            print(f"{row.name:14} limit, {processes} process(es): {found}", file=sys.stderr)
            yield {"round": number, "row": row.name, "processes": processes, **found}


if __name__ == "__main__":
    main()
