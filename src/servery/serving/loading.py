"""Brings a version's model up: reads it, lets it answer its own example, measures it, puts it where it runs best."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace

import msgspec

from servery.errors import ServeryError
from servery.models.encoder import find_encoder
from servery.models.growing import GrowingRuntime
from servery.models.predictor import Predictor
from servery.models.runtime import Runtime, find_runtime
from servery.registry.version import Version
from servery.serving.isolated import IsolatedRuntime, resident_bytes
from servery.serving.latency_model import LatencyModel
from servery.serving.measurement import core_count, fingerprint, keep, measure, recall
from servery.serving.placement import Place, Placement, choose, ordered_place
from servery.settings import Settings
from servery.tasks.form import Example, form_for

_one_at_a_time = threading.Lock()
"""Two loads at once would measure each other, in seconds and in bytes."""


@dataclass(frozen=True)
class Loaded:
    """A model that is up.

    Attributes:
        predictor: Answers.
        placement: Where it runs.
        latency: What is known of how long its batches take.
        own_bytes: What this process grew by, at least the size of the version's files.
        load_seconds: What it took to read it and to warm it up, the first measurement not included.
    """

    predictor: Predictor
    placement: Placement
    latency: LatencyModel = field(default_factory=LatencyModel)
    own_bytes: int = 0
    load_seconds: float = 0.0

    @property
    def memory_bytes(self) -> int:
        """What it holds: here, or in its own process now."""
        runtime = self.predictor.runtime
        return runtime.memory_bytes if isinstance(runtime, IsolatedRuntime) else self.own_bytes


def bring_up(version: Version, settings: Settings) -> Loaded:
    """Load a version whose files have been verified.

    Args:
        version: Which.
        settings: Where it may run, and its bounds.

    Raises:
        ServeryError: It cannot be read or run.
    """
    # Workers that together ran more threads than there are cores would only wait for each other.
    threads = min(settings.threads, max(1, core_count() // settings.workers))
    with _one_at_a_time:
        runtime_class = import_libraries(version)
        before = resident_bytes()
        if runtime_class is not None and issubclass(runtime_class, GrowingRuntime):
            loaded = _growing(version, settings, threads)
        else:
            loaded = _placed(version, settings, threads)
        return replace(
            loaded,
            own_bytes=max(resident_bytes() - before, version.size_bytes),
        )


def _growing(version: Version, settings: Settings, threads: int) -> Loaded:
    """Load a model whose answers grow by steps: these are run by a thread of their own."""
    started = time.monotonic()
    predictor = Predictor.load(version.folder, threads)
    _warm_up(predictor)
    placement = Placement(Place.THREAD, "answers grow", settings.max_batch_rows)
    return Loaded(predictor, placement, load_seconds=time.monotonic() - started)


def _placed(version: Version, settings: Settings, threads: int) -> Loaded:
    """Load a model where it was found to run best, or, the first time, find out where that is."""
    ordered = ordered_place(settings, version.name)
    machine = fingerprint(threads, settings.max_batch_rows, ordered is Place.PROCESS)
    known = recall(settings.measurements, version.digest, machine)
    placement = choose(known, ordered, settings.max_batch_rows)
    started = time.monotonic()
    predictor = _load(version, settings, threads, placement.place)
    try:
        example = _warm_up(predictor)
        load_seconds = time.monotonic() - started
        if known is None and example is not None:
            known = measure(predictor, example, machine, settings.max_batch_rows)
            keep(settings.measurements, version.digest, known)
            placement = choose(known, ordered, settings.max_batch_rows)
            if placement.place is Place.PROCESS and not isinstance(predictor.runtime, IsolatedRuntime):
                predictor = _load(version, settings, threads, Place.PROCESS)
                _warm_up(predictor)
    except BaseException:
        predictor.runtime.close()
        raise
    latency = LatencyModel(known.seconds if known is not None else {})
    return Loaded(predictor, placement, latency, load_seconds=load_seconds)


def _load(version: Version, settings: Settings, threads: int, place: Place) -> Predictor:
    if place is not Place.PROCESS:
        return Predictor.load(version.folder, threads)
    runtime = IsolatedRuntime(
        version.folder,
        threads=threads,
        timeout_seconds=settings.forward_timeout_seconds,
        memory_bytes=settings.isolated_memory_mb * 2**20,
    )
    try:
        return Predictor.load(version.folder, threads, runtime)
    except ServeryError:
        runtime.close()
        raise


def _warm_up(predictor: Predictor) -> Example | None:
    """Let a model answer its own example, if it has one, and return that."""
    signature = predictor.signature
    if signature.example is None:
        return None
    example = form_for(signature.kinds).examples(signature.example, signature.inputs, signature.limits)[0]
    if isinstance(predictor.runtime, GrowingRuntime):
        predictor.runtime.warm_up(predictor.encode([example]), predictor.task.parameters())
    else:
        predictor.predict([example])
    return example


class _Description(msgspec.Struct):
    runtime: str
    encoder: str


def import_libraries(version: Version) -> type[Runtime] | None:
    """Import what a version needs, and return its runtime's class; None where that cannot be told.

    Done before it is loaded, so that a library's memory is not taken for the version's own.
    """
    try:
        described = msgspec.json.decode((version.folder / "predictor.json").read_bytes(), type=_Description)
        find_encoder(described.encoder)
        return find_runtime(described.runtime)
    except (OSError, ValueError, ServeryError):
        return None  # to load it will say what is wrong, in better words
