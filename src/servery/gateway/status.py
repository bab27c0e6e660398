"""What a server is doing, told by one worker for all."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import msgspec

from servery.schemas import VERSION, ReplicaStatus, Status

if TYPE_CHECKING:
    from servery.gateway.app import Gateway

QUESTION = "status"
STATES = ("ready", "draining", "loading", "failed", "cold")
"""What the workers have of one version, the most telling first."""
ADDED = (
    "memory_bytes",
    "requests",
    "rows",
    "errors",
    "seconds",
    "queue_seconds",
    "compute_seconds",
    "batches",
    "queue_rows",
)


def answer_siblings(gateway: Gateway) -> None:
    """Have the other workers told what this one is doing, when they ask."""

    async def answer() -> bytes:
        return msgspec.json.encode(_own(gateway))

    gateway.siblings.answer(QUESTION, answer)


async def status_of(gateway: Gateway) -> Status:
    """Return what all workers of a server are doing together."""
    told = [msgspec.json.decode(answer, type=Status) for answer in await gateway.siblings.ask(QUESTION)]
    return merged([_own(gateway), *told]) if told else _own(gateway)


def merged(workers: Sequence[Status]) -> Status:
    """Return what several workers do as one; the first is the one that was asked."""
    rows = sorted((row for worker in workers for row in worker.replicas), key=lambda row: row.reference)
    return msgspec.structs.replace(
        workers[0],
        uptime_seconds=max(worker.uptime_seconds for worker in workers),
        is_ready=all(worker.is_ready for worker in workers),
        requests_in_flight=sum(worker.requests_in_flight for worker in workers),
        workers=[process for worker in workers for process in worker.workers],
        replicas=[_added(list(same)) for _, same in groupby(rows, key=lambda row: row.reference)],
    )


def _own(gateway: Gateway) -> Status:
    return Status(
        version=VERSION,
        process_id=os.getpid(),
        uptime_seconds=gateway.uptime_seconds,
        is_ready=gateway.engine.is_ready and not gateway.is_draining,
        requests_in_flight=gateway.in_flight,
        replicas=gateway.engine.status(),
        workers=[os.getpid()],
    )


def _added(rows: list[ReplicaStatus]) -> ReplicaStatus:
    """Return one version's rows of several workers as one.

    >>> _added([ReplicaStatus("reviews@1", "cold"), ReplicaStatus("reviews@1", "ready", requests=3)]).requests
    3
    """
    best = min(rows, key=lambda row: STATES.index(row.state))
    sums = {name: sum(getattr(row, name) for row in rows) for name in ADDED}
    requests, batches = sums["requests"], sums["batches"]
    return msgspec.structs.replace(
        best,
        **sums,
        answers_to=sorted({reference for row in rows for reference in row.answers_to}),
        mean_batch_rows=sums["rows"] / batches if batches else 0.0,
        # A median of medians is none; weighed by their requests they come close.
        latency_ms=sum(row.latency_ms * row.requests for row in rows) / requests if requests else 0.0,
        latency_p99_ms=max(row.latency_p99_ms for row in rows),
    )
