"""What a server tells of itself: metrics for Prometheus and a line a request. Never a key, never a body."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from servery.gateway.message import Request
from servery.gateway.metric import Metric, text
from servery.gateway.request_log import RequestLog
from servery.gateway.siblings import Siblings
from servery.gateway.tallies import Labels, summed
from servery.schemas import ReplicaStatus
from servery.serving.engine import Engine
from servery.serving.replica import Replica
from servery.serving.residency import Event
from servery.settings import Settings

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
ROWS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0)
LAG_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)
TICK_SECONDS = 0.5
"""How often the event loop's lag is measured."""

MODEL = ("model", "version")
ASKED = (*MODEL, "task", "protocol")

REQUESTS = Metric("servery_requests_total", "Requests answered.", "counter", (*ASKED, "code"))
ERRORS = Metric(
    "servery_request_errors_total",
    "Requests answered with an error, by its code.",
    "counter",
    (*ASKED, "code"),
)
DURATION = Metric(
    "servery_request_duration_seconds", "From a request's head to its answer.", "histogram", ASKED, SECONDS
)
QUEUE = Metric("servery_queue_seconds", "Wait of a request for its model.", "histogram", ASKED, SECONDS)
COMPUTE = Metric(
    "servery_compute_seconds", "A request's share of its forward passes.", "histogram", ASKED, SECONDS
)
BATCH_ROWS = Metric(
    "servery_batch_rows", "Inputs in the forward pass that answered a request.", "histogram", ASKED, ROWS
)
FIRST_PIECE = Metric(
    "servery_first_piece_seconds",
    "From a request's head to the first piece of its stream.",
    "histogram",
    ASKED,
    SECONDS,
)
UNITS = Metric("servery_units_total", "What was metered, e.g. tokens or rows.", "counter", (*ASKED, "unit"))
BYTES_IN = Metric("servery_request_bytes_total", "Bytes of requests' bodies.", "counter", ASKED)
BYTES_OUT = Metric("servery_response_bytes_total", "Bytes of answers' bodies.", "counter", ASKED)
BATCHES = Metric("servery_batches_total", "Forward passes run.", "counter", MODEL)
BATCHED_ROWS = Metric("servery_batched_rows_total", "Inputs in forward passes.", "counter", MODEL)
LOADS = Metric("servery_model_loads_total", "Versions brought into memory.", "counter", MODEL)
EVICTIONS = Metric("servery_model_evictions_total", "Versions that made room for others.", "counter", MODEL)
QUEUE_ROWS = Metric("servery_queue_rows", "Inputs waiting for a model.", "gauge", MODEL)
MEMORY = Metric("servery_model_memory_bytes", "Memory that a loaded version holds.", "gauge", MODEL)
MEMORY_LIMIT = Metric(
    "servery_model_memory_limit_bytes",
    "Memory that loaded versions may hold together; 0 is no bound.",
    "gauge",
)
MODELS_LOADED = Metric("servery_models_loaded", "Versions in memory, counted in every worker.", "gauge")
MODELS_FAILED = Metric("servery_models_failed", "Versions that could not be brought up.", "gauge")
IN_FLIGHT = Metric("servery_requests_in_flight", "Requests being answered.", "gauge")
WORKERS = Metric("servery_workers", "Worker processes that answer.", "gauge")
WORKERS_WANTED = Metric("servery_workers_wanted", "Worker processes that there should be.", "gauge")
CPU = Metric("servery_process_cpu_seconds_total", "Processor time of the workers.", "counter")
RESIDENT = Metric("servery_process_memory_bytes", "Resident memory of the workers.", "gauge")
OPEN_FILES = Metric("servery_process_open_files", "Open file descriptors of the workers.", "gauge")
LAG = Metric(
    "servery_event_loop_lag_seconds",
    "How late the event loop came to a task that was due.",
    "histogram",
    (),
    LAG_SECONDS,
)
LOG_DROPPED = Metric(
    "servery_request_log_dropped_total", "Lines that the request log could not write.", "counter"
)

METRICS = tuple(value for value in list(globals().values()) if isinstance(value, Metric))

Reading = tuple[str, Labels, float]
"""A gauge now: its name, its labels' values, its value."""


class _Asked:
    """Where the numbers of one model, version, task and protocol are."""

    __slots__ = ("batch_rows", "bytes_in", "bytes_out", "codes", "compute", "duration", "labels", "queue")

    def __init__(self, labels: Labels, place: Callable[[Metric, Labels], int]) -> None:
        self.labels = labels
        self.codes: dict[int, int] = {}
        self.duration = place(DURATION, labels)
        self.bytes_in = place(BYTES_IN, labels)
        self.bytes_out = place(BYTES_OUT, labels)
        if labels[0]:
            self.queue = place(QUEUE, labels)
            self.compute = place(COMPUTE, labels)
            self.batch_rows = place(BATCH_ROWS, labels)


class Telemetry:
    """The counters of one worker, and the text that speaks for all workers.

    Args:
        engine: Its replicas are asked when the metrics are.
        siblings: The other workers.
        in_flight: Returns how many requests are under way here.
    """

    def __init__(self, engine: Engine, siblings: Siblings, in_flight: Callable[[], int]) -> None:
        self._engine = engine
        self._siblings = siblings
        self._in_flight = in_flight
        self._tallies = siblings.worker.tallies
        self._numbers = self._tallies.numbers
        self._asked: dict[tuple[str | None, ...], _Asked] = {}
        self._batches: dict[Replica, tuple[int, int]] = {}
        self._cpu_before = self._numbers[self._place(CPU, ())] - time.process_time()
        self._dropped = 0
        self._log: RequestLog | None = None
        self._ticker: asyncio.Task[None] | None = None
        residency = engine.residency
        residency.on(Event.LOADED, lambda replica: self._count(LOADS, _model(replica)))
        residency.on(Event.EVICTED, lambda replica: self._count(EVICTIONS, _model(replica)))
        residency.on(Event.CLOSED, self._forget)
        siblings.answer("gauges", self._told_readings)

    async def start(self, settings: Settings) -> None:
        """Begin to write the request log, and to watch the event loop."""
        self._log = RequestLog.of(settings)
        self._ticker = asyncio.create_task(self._tick())

    async def stop(self) -> None:
        """Write what the request log still holds."""
        if self._ticker is not None:
            self._ticker.cancel()
            with suppress(asyncio.CancelledError):
                await self._ticker
        if self._log is not None:
            await asyncio.to_thread(self._log.close)

    def observe(self, request: Request, status: int, seconds: float) -> None:
        """Count one answered request; its notes hold only names of loaded versions, so the labels stay few."""
        note, measures, numbers = request.notes.get, request.measures, self._numbers
        key = note("model"), note("version"), note("task"), note("protocol")
        asked = self._asked.get(key) or self._begin(key)
        code = asked.codes.get(status)
        if code is None:
            code = asked.codes[status] = self._place(REQUESTS, (*asked.labels, str(status)))
        numbers[code] += 1
        DURATION.observe(numbers, asked.duration, seconds)
        numbers[asked.bytes_in] += measures.bytes_in
        numbers[asked.bytes_out] += measures.bytes_out
        if measures.batch_rows:
            QUEUE.observe(numbers, asked.queue, measures.queue_seconds)
            COMPUTE.observe(numbers, asked.compute, measures.compute_seconds)
            BATCH_ROWS.observe(numbers, asked.batch_rows, measures.batch_rows)
        if measures.units:
            numbers[self._place(UNITS, (*asked.labels, measures.unit))] += measures.units
        if measures.first_piece_seconds and asked.labels[0]:
            place = self._place(FIRST_PIECE, asked.labels)
            FIRST_PIECE.observe(numbers, place, measures.first_piece_seconds)
        if measures.error_code:
            self._count(ERRORS, (*asked.labels, measures.error_code))
        if self._log is not None and measures.is_logged:
            self._log.add(request, status, seconds)

    async def text(self) -> bytes:
        """Return the metrics of all workers in Prometheus' text format."""
        told = [list(self._readings())]
        # They are asked before their counters are read: to answer brings those up to date.
        told += [msgspec.json.decode(one, type=list[Reading]) for one in await self._siblings.ask("gauges")]
        values = summed(self._siblings.worker.all_tallies)
        values[WORKERS.name, ()] = [float(len(told))]
        values[WORKERS_WANTED.name, ()] = [float(len(self._siblings.worker.all_tallies))]
        for readings in told:
            for name, labels, value in readings:
                values.setdefault((name, labels), [0.0])[0] += value
        return text(METRICS, values)

    async def _told_readings(self) -> bytes:
        return msgspec.json.encode(list(self._readings()))

    def _begin(self, key: tuple[str | None, ...]) -> _Asked:
        asked = _Asked(tuple(value or "" for value in key), self._place)
        self._asked[key] = asked
        return asked

    def _place(self, metric: Metric, labels: Labels) -> int:
        return self._tallies.place(metric.name, labels, metric.width)

    def _count(self, metric: Metric, labels: Labels, amount: float = 1.0) -> None:
        self._numbers[self._place(metric, labels)] += amount

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        place = self._place(LAG, ())
        while True:
            due = loop.time() + TICK_SECONDS
            await asyncio.sleep(TICK_SECONDS)
            LAG.observe(self._numbers, place, max(0.0, loop.time() - due))

    def _readings(self) -> Iterator[Reading]:
        """Yield the gauges of this worker, and bring those of its counters up to date that are kept elsewhere."""
        self._numbers[self._place(CPU, ())] = self._cpu_before + time.process_time()
        if self._log is not None:
            self._count(LOG_DROPPED, (), self._log.dropped - self._dropped)
            self._dropped = self._log.dropped
        for replica in self._engine.residency.replicas():
            self._count_batches(replica)
        yield IN_FLIGHT.name, (), float(self._in_flight())
        yield MEMORY_LIMIT.name, (), float(self._engine.residency.limit_bytes)
        yield from _of_models(self._engine.status())
        yield from _of_process()

    def _count_batches(self, replica: Replica) -> None:
        # A replica counts from when it was loaded; the metric must not fall when it is loaded again.
        batches, rows = self._batches.get(replica, (0, 0))
        counts = replica.batcher.counts
        self._count(BATCHES, _model(replica), counts.batches - batches)
        self._count(BATCHED_ROWS, _model(replica), counts.rows - rows)
        self._batches[replica] = counts.batches, counts.rows

    def _forget(self, replica: Replica) -> None:
        self._count_batches(replica)
        del self._batches[replica]


def _model(replica: Replica) -> Labels:
    return replica.version.name, str(replica.version.number)


def _of_models(rows: Sequence[ReplicaStatus]) -> Iterable[Reading]:
    loaded = [row for row in rows if row.state in ("ready", "draining")]
    for row in loaded:
        name, _, number = row.reference.partition("@")
        yield QUEUE_ROWS.name, (name, number), float(row.queue_rows)
        yield MEMORY.name, (name, number), float(row.memory_bytes)
    yield MODELS_LOADED.name, (), float(len(loaded))
    yield MODELS_FAILED.name, (), float(sum(row.state == "failed" for row in rows))


def _of_process() -> Iterable[Reading]:
    process = Path("/proc/self")
    if process.exists():  # elsewhere than on Linux nobody tells them
        pages = int((process / "statm").read_text().split()[1])
        yield RESIDENT.name, (), float(pages * os.sysconf("SC_PAGE_SIZE"))
        yield OPEN_FILES.name, (), float(len(os.listdir(process / "fd")))
