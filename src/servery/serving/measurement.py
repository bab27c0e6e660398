"""Learns how long a version's batches take on this machine, by running its own example; kept for the next load."""

from __future__ import annotations

import os
import platform
import sys
import threading
import time
from collections.abc import Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from itertools import pairwise
from pathlib import Path

import msgspec
import structlog

from servery.errors import StorageError
from servery.models.predictor import Predictor
from servery.serving.work import is_foreseeable, size_of
from servery.storage.files import make_folder, write_atomically
from servery.tasks.form import Example

BUDGET_SECONDS = 3.0
"""A measurement ends here, however far it got."""
REPEATS = 5
LEAST_REPEATS = 2
GROWTH = 4
"""From one batch size to the next."""
LOCK_SECONDS = 0.004
"""A forward pass shorter than this cannot keep the interpreter from the event loop for long."""
WATCH_SECONDS = 0.03
TICK_SECONDS = 0.001
LIBRARIES = ("numpy", "onnxruntime", "torch", "lightgbm", "tokenizers")

log = structlog.get_logger("servery.measurement")


class Measurement(msgspec.Struct, frozen=True):
    """What a version's own example took on a machine.

    Attributes:
        machine: Where, with which libraries and settings; elsewhere it says nothing.
        size: Of the example; 0 where the size of an input does not tell how much work it is.
        seconds: Rows of a batch to the least time it took: encoding, forward pass and decoding.
        lock_seconds: How long a forward pass held the interpreter's lock in one go, seen from a thread that wanted it
            every millisecond; 0 where the whole pass is shorter than a hold that matters.
    """

    machine: str
    size: int
    seconds: dict[int, float]
    lock_seconds: float = 0.0


def measure(
    predictor: Predictor,
    example: Example,
    machine: str,
    max_rows: int,
    budget_seconds: float = BUDGET_SECONDS,
) -> Measurement:
    """Run batches of growing size of one example, until the next would not fit into the budget.

    A batch that fails ends the measurement: the model takes no such batches.

    Args:
        predictor: The model, warmed up.
        example: What is asked of it.
        machine: See `fingerprint`.
        max_rows: Largest batch.
        budget_seconds: Bound of the whole.
    """
    ends_at = time.monotonic() + budget_seconds
    seconds: dict[int, float] = {}
    for rows in _sizes(max_rows):
        expected = rows * min((took / size for size, took in seconds.items()), default=0.0)
        if time.monotonic() + expected * LEAST_REPEATS > ends_at:
            break
        try:
            seconds[rows] = _least_seconds(predictor, [example] * rows, ends_at)
        except Exception as error:  # a model may raise anything; it answers smaller batches
            log.warning("batch size cannot be run", rows=rows, reason=f"{type(error).__name__}: {error}")
            break
    size = size_of(example) if is_foreseeable(predictor.signature.inputs) else 0
    return Measurement(machine, size, seconds, _lock_seconds(predictor, example, seconds))


def recall(folder: Path, digest: str, machine: str) -> Measurement | None:
    """Return what was measured of a version on this very machine, if it was."""
    try:
        found = msgspec.json.decode((folder / f"{digest}.json").read_bytes(), type=Measurement)
    except (OSError, ValueError):
        return None  # never measured, or torn: to measure again costs less than to ask
    return found if found.machine == machine and found.seconds else None


def keep(folder: Path, digest: str, measurement: Measurement) -> None:
    """Keep a measurement for the next load; a disk that refuses costs only measuring again."""
    try:
        make_folder(folder)
        write_atomically(folder / f"{digest}.json", msgspec.json.encode(measurement))
    except StorageError as error:
        log.warning("measurement not kept", reason=error.message)


def fingerprint(*settings: object) -> str:
    """Return a text that differs where a measurement would: processor, cores, libraries, these settings."""
    return "; ".join([_machine(), *map(str, settings)])


def core_count() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _machine() -> str:
    versions = []
    for library in LIBRARIES:
        try:
            versions.append(f"{library} {version(library)}")
        except PackageNotFoundError:
            continue
    return "; ".join([_processor(), f"{core_count()} cores", f"Python {sys.version_info[:2]}", *versions])


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _sizes(max_rows: int) -> list[int]:
    sizes, rows = [], 1
    while rows < max_rows:
        sizes.append(rows)
        rows *= GROWTH
    return [*sizes, max_rows]


def _least_seconds(predictor: Predictor, examples: Sequence[Example], ends_at: float) -> float:
    # The least, not the mean: others who use the machine now only ever make it slower.
    times: list[float] = []
    while len(times) < REPEATS and (len(times) < LEAST_REPEATS or time.monotonic() < ends_at):
        started = time.perf_counter()
        predictor.predict(examples)
        times.append(time.perf_counter() - started)
    return min(times)


def _lock_seconds(predictor: Predictor, example: Example, seconds: dict[int, float]) -> float:
    if not seconds or max(seconds.values()) < LOCK_SECONDS:
        return 0.0
    batch = predictor.encode([example] * max(seconds, key=seconds.__getitem__))
    with _Ticker() as alone:
        time.sleep(WATCH_SECONDS)
    ends_at = time.monotonic() + WATCH_SECONDS
    with _Ticker() as beside:
        predictor.runtime.run(batch)
        while time.monotonic() < ends_at:
            predictor.runtime.run(batch)
    return max(beside.median_delay() - alone.median_delay(), 0.0)


class _Ticker:
    """A thread that wants the interpreter every millisecond, and notes how late it got it."""

    def __init__(self) -> None:
        self._moments: list[float] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="servery-ticker", daemon=True)

    def __enter__(self) -> _Ticker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def median_delay(self) -> float:
        late = sorted(after - before - TICK_SECONDS for before, after in pairwise(self._moments))
        return max(late[len(late) // 2], 0.0) if late else 0.0

    def _tick(self) -> None:
        while not self._is_over.is_set():
            self._moments.append(time.perf_counter())
            time.sleep(TICK_SECONDS)
        self._moments.append(time.perf_counter())
