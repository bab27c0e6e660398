"""Starts every system once with a model, checks an answer, loads it for a second: does everything work here?

Run: `python benchmarks/serving/smoke.py --models mlp lstm --systems litserve triton`.
"""

from __future__ import annotations

import argparse

from running import end_on_signals, load, running
from systems import systems_named
from workloads import MODELS

from models import made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="*", default=list(MODELS))
    parser.add_argument("--systems", nargs="*", default=[])
    parser.add_argument("--runtime", default="", help="onnx or torch instead of the models' own")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=1.0)
    arguments = parser.parse_args()
    end_on_signals()
    for name in arguments.models:
        model = made(MODELS[name], arguments.runtime)
        for system in systems_named(arguments.systems):
            if problem := system.missing():
                print(f"{name:8} {system.name:10} {problem}")
                continue
            try:
                with running(system, model) as target:
                    for wire in sorted(system.wires if name == "mlp" else {"json"}):
                        found = load(
                            target, wire, connections=arguments.connections, seconds=arguments.seconds
                        )
                        result = found.result
                        print(
                            f"{name:8} {system.name:10} {wire:6} start {target.start_seconds:4.1f} s,"
                            f" {result['requests_per_second']:7.0f}/s, p50 {result['p50_ms']:6.1f},"
                            f" p99 {result['p99_ms']:6.1f} ms, CPU {found.cpu_ms:5.2f} ms, {found.memory_mib:5.0f} MiB,"
                            f" {found.threads} threads, foreign {found.use.foreign_cores:.2f},"
                            f" generator {result['generator_cores']:.2f}, errors {result['errors']},"
                            f" {len(result['samples'])} checked"
                        )
            except Exception as error:  # one system's failure must not hide the others
                print(f"{name:8} {system.name:10} {type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
