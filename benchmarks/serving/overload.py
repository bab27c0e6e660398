"""Ten times more than it can answer, at a constant rate: what is answered, how the rest is refused, what remains.

Run: `python benchmarks/serving/overload.py --model encoder --seconds 10`. One generator goes through three phases
without a pause: half of the capacity, ten times it, half again.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from running import Loaded, end_on_signals, load, running
from systems import systems_named
from workloads import MODELS

from models import fresh_home, made

CALM_SECONDS = 4.0
CALM_SHARE = 0.5
"""Of the capacity, before and after."""
CONNECTIONS = 6000
"""More than the server lets wait: a generator that ran out of connections would spare it."""
NORMAL_FACTOR = 2.0
"""A quarter of a second is normal again when nothing is refused and the p99 is at most so many times the one before."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="encoder", choices=list(MODELS))
    parser.add_argument("--system", default="servery-1")
    parser.add_argument("--factor", type=float, default=10.0)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument(
        "--deadline-ms", type=int, default=1000, help="what each request asks for; 0 for nothing"
    )
    arguments = parser.parse_args()
    end_on_signals()
    model = made(MODELS[arguments.model])
    if arguments.system.startswith("servery"):
        fresh_home(model)
    bounds = [f"x-deadline-ms: {arguments.deadline_ms}"] * (arguments.deadline_ms > 0)
    with running(systems_named([arguments.system])[0], model) as target:
        target.requests["deadline"] = [_with_lines(request, bounds) for request in target.requests_on("json")]
        peak = load(target, "json", connections=64, seconds=CALM_SECONDS, warm_seconds=2.0)
        capacity = peak.result["requests_per_second"]
        calm = (CALM_SHARE * capacity, CALM_SECONDS)
        phases = [calm, (arguments.factor * capacity, arguments.seconds), calm]
        found = load(
            target, "deadline", connections=CONNECTIONS, seconds=0.0, warm_seconds=0.0, phases=phases
        )
        print(json.dumps(_told(peak, found, arguments.seconds), indent=1))


def _with_lines(request: bytes, lines: list[str]) -> bytes:
    head, _, body = request.partition(b"\r\n\r\n")
    return b"\r\n".join([head, *(line.encode() for line in lines)]) + b"\r\n\r\n" + body


def _told(peak: Loaded, found: Loaded, seconds: float) -> dict[str, Any]:
    before, during, after = found.result["phases"]
    capacity = peak.result["requests_per_second"]
    refused = sum(part["count"] for part in during["refused"].values())
    goodput = during["answered"] / seconds
    return {
        "capacity_per_second": round(capacity),
        "sent_per_second": round((during["answered"] + refused + during["lost"]) / seconds),
        "goodput_per_second": round(goodput),
        "goodput_share": round(goodput / capacity, 3),
        "p99_ms_of_the_answered": during["p99_ms"],
        "refused_since_sent": during["refused"],
        "never_answered": during["lost"],
        "errors_of_all_phases": found.result["errors"],
        "memory_mib_before": round(peak.memory_mib, 1),
        "memory_mib_most": round(found.memory_mib, 1),
        "p99_ms_before": before["p99_ms"],
        "p99_ms_after": after["p99_ms"],
        "normal_after_seconds": _normal_after(
            found.result["buckets"], before["p99_ms"], CALM_SECONDS + seconds
        ),
        "server_cores": round(found.use.system_cores, 2),
        "generator_cores": found.result["generator_cores"],
        "others_took_cores": round(found.use.foreign_cores, 2),
    }


def _normal_after(buckets: list[dict[str, Any]], calm_p99_ms: float, end: float) -> float | None:
    """Return how long after the overload nothing was abnormal any more; None if that never came."""
    later = [bucket for bucket in buckets if bucket["from"] >= end]
    abnormal = [
        b["from"] for b in later if b["refused"] or b["lost"] or b["p99_ms"] > NORMAL_FACTOR * calm_p99_ms
    ]
    if not abnormal:
        return 0.0
    step = later[1]["from"] - later[0]["from"]
    return None if abnormal[-1] == later[-1]["from"] else float(abnormal[-1] + step - end)


if __name__ == "__main__":
    main()
