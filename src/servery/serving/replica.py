"""One loaded version: verified, warmed up, with its queue; closed when the last request let go of it."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from servery.errors import ServeryError
from servery.models.growing import GrowingRuntime
from servery.models.signature import Limits
from servery.registry.registry import Registry
from servery.registry.version import Version
from servery.schemas import ReplicaStatus
from servery.serving.batcher import Answered, Batcher
from servery.serving.grower import Grower
from servery.serving.loading import Loaded, bring_up
from servery.settings import Settings
from servery.tasks.form import Example, Form, form_for
from servery.tasks.task import Parameters, Task

REMEMBERED_LATENCIES = 512


@dataclass
class _Counts:
    requests: int = 0
    errors: int = 0
    seconds: float = 0.0
    queue_seconds: float = 0.0
    latencies_ms: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED_LATENCIES))


class Replica:
    """A version that answers. Made by `Replica.load` in a thread, used on the event loop.

    Attributes:
        version: What the registry knows of it.
        predictor: The model.
        task: What it answers.
        form: How its inputs are read.
        limits: Bounds of one request: the model's own, and not above the server's.
        placement: Where it runs, and why.
    """

    def __init__(self, version: Version, loaded: Loaded, settings: Settings) -> None:
        predictor = loaded.predictor
        self.version = version
        self.predictor = predictor
        self.placement = loaded.placement
        self.task: Task = predictor.task
        self.form: Form = form_for(predictor.signature.kinds)
        self.limits = _within(predictor.signature.limits, settings)
        self.hub_task = self.task.hub_name(predictor.signature.kinds)
        self.batcher: Batcher | Grower = Batcher(
            predictor,
            max_batch_rows=loaded.placement.max_batch_rows,
            max_queue_rows=settings.max_queue_rows,
            inline_work=loaded.placement.inline_work,
            latency=loaded.latency,
        )
        self.grower: Grower | None = None
        """Lets answers grow, where they do; it is the batcher then."""
        if isinstance(predictor.runtime, GrowingRuntime):
            self.grower = Grower(
                predictor,
                max_growing=settings.max_growing,
                max_queue_rows=settings.max_queue_rows,
                max_bytes=settings.max_growing_mb * 2**20,
            )
            self.batcher = self.grower
        self._loaded = loaded
        self.last_used = perf_counter()
        self.uses = 0
        """How often it was leased; what residency weighs it by."""
        self._counts = _Counts()
        self._leases = 0
        self._is_retired = False

    @classmethod
    def load(cls, version: Version, registry: Registry, settings: Settings) -> Replica:
        """Check every file of a version, read it, let it answer its own example, and place it; see `bring_up`.

        Raises:
            ServeryError: It cannot be trusted, read or run.
        """
        registry.verify(version.reference)
        return cls(version, bring_up(version, settings), settings)

    @property
    def is_retired(self) -> bool:
        """Whether it only finishes what it has begun."""
        return self._is_retired

    @property
    def is_closed(self) -> bool:
        """Whether it has finished all of it."""
        return self._is_retired and not self._leases

    @property
    def memory_bytes(self) -> int:
        """What it holds: what the process grew by while it was loaded, or the memory of its own process."""
        return self._loaded.memory_bytes

    @property
    def load_seconds(self) -> float:
        """What it took to read it and warm it up: what it would cost to have it again."""
        return self._loaded.load_seconds

    @property
    def is_busy(self) -> bool:
        """Whether a request holds it open."""
        return self._leases > 0

    def revive(self) -> None:
        """Take requests again, before the last one let go of it."""
        self._is_retired = False

    def read(self, inputs: Any) -> list[Example]:
        """Read decoded JSON inputs, within the limits.

        Raises:
            InputError: They are not what the model takes.
        """
        return self.form.examples(inputs, self.predictor.signature.inputs, self.limits)

    def read_bytes(self, body: bytes, content_type: str) -> list[Example]:
        """Read a raw body, e.g. a picture, within the limits.

        Raises:
            InputError: It is not what the model takes.
        """
        return self.form.examples_from_bytes(body, content_type, self.predictor.signature.inputs, self.limits)

    @contextmanager
    def lease(self) -> Iterator[Replica]:
        """Hold the replica open while a request uses it."""
        self._leases += 1
        self.uses += 1
        self.last_used = perf_counter()
        try:
            yield self
        finally:
            self._leases -= 1
            self._close_if_done()

    def retire(self) -> None:
        """Take no new requests; close when those under way are answered."""
        self._is_retired = True
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self.is_closed:
            self.batcher.close()
            self.predictor.runtime.close()

    def make_room(self, rows: int, deadline: float = math.inf, owner: str = "", weight: float = 1.0) -> None:
        """Refuse rows for which there is no room or no time, before a body is read; see `Batcher.make_room`.

        Raises:
            OverloadedError: There is not.
        """
        if isinstance(self.batcher, Batcher):
            self.batcher.make_room(rows, deadline, owner, weight)

    async def answer(
        self,
        examples: Sequence[Example],
        parameters: Parameters,
        deadline: float = math.inf,
        owner: str = "",
        weight: float = 1.0,
    ) -> Answered:
        """Answer examples through the queue; see `Batcher.submit`."""
        started = perf_counter()
        try:
            answered = await self.batcher.submit(examples, parameters, deadline, owner, weight)
        except ServeryError as error:
            self._counts.errors += error.http_status >= 500
            raise
        except Exception:
            self._counts.errors += 1
            raise
        seconds = perf_counter() - started
        self._counts.requests += 1
        self._counts.seconds += seconds
        self._counts.queue_seconds += answered.queue_seconds
        self._counts.latencies_ms.append(seconds * 1000)
        return answered

    def count_grown(self, seconds: float, queue_seconds: float, is_error: bool) -> None:
        """Count a request whose answers grew."""
        self._counts.errors += is_error
        self._counts.requests += not is_error
        self._counts.seconds += seconds
        self._counts.queue_seconds += queue_seconds
        self._counts.latencies_ms.append(seconds * 1000)

    def status(self, answers_to: Sequence[str]) -> ReplicaStatus:
        """Return what it is doing."""
        batches = self.batcher.counts
        latencies = sorted(self._counts.latencies_ms) or [0.0]
        return ReplicaStatus(
            reference=self.version.reference,
            state="draining" if self._is_retired else "ready",
            runtime=self.predictor.runtime.name,
            answers_to=sorted(answers_to),
            placement=self.placement.place,
            placement_reason=self.placement.reason,
            memory_bytes=self.memory_bytes,
            requests=self._counts.requests,
            rows=batches.rows,
            errors=self._counts.errors,
            seconds=self._counts.seconds,
            queue_seconds=self._counts.queue_seconds,
            compute_seconds=batches.seconds,
            batches=batches.batches,
            mean_batch_rows=batches.rows / batches.batches if batches.batches else 0.0,
            latency_ms=latencies[len(latencies) // 2],
            latency_p99_ms=latencies[int(len(latencies) * 0.99)],
            queue_rows=self.batcher.queue_rows,
        )


def _within(limits: Limits, settings: Settings) -> Limits:
    return Limits(
        max_inputs=min(limits.max_inputs, settings.max_inputs),
        max_text_characters=min(limits.max_text_characters, settings.max_text_characters),
        max_image_pixels=min(limits.max_image_pixels, settings.max_image_pixels),
        max_image_bytes=min(limits.max_image_bytes, settings.max_body_bytes),
        max_audio_seconds=min(limits.max_audio_seconds, settings.max_audio_seconds),
        max_audio_bytes=min(limits.max_audio_bytes, settings.max_body_bytes),
    )
