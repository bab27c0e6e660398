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
from servery.models.predictor import Predictor
from servery.models.signature import Limits
from servery.registry.registry import Registry
from servery.registry.version import Version
from servery.schemas import ReplicaStatus
from servery.serving.batcher import Answered, Batcher
from servery.settings import Settings
from servery.tasks.form import Example, Form, form_for
from servery.tasks.task import Parameters, Task

REMEMBERED_LATENCIES = 512


@dataclass
class _Counts:
    requests: int = 0
    errors: int = 0
    latencies_ms: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED_LATENCIES))


class Replica:
    """A version that answers. Made by `Replica.load` in a thread, used on the event loop.

    Attributes:
        version: What the registry knows of it.
        predictor: The model.
        task: What it answers.
        form: How its inputs are read.
        limits: Bounds of one request: the model's own, and not above the server's.
    """

    def __init__(self, version: Version, predictor: Predictor, settings: Settings) -> None:
        self.version = version
        self.predictor = predictor
        self.task: Task = predictor.task
        self.form: Form = form_for(predictor.signature.kinds)
        self.limits = _within(predictor.signature.limits, settings)
        self.hub_task = self.task.hub_name(predictor.signature.kinds)
        self.batcher = Batcher(
            predictor, max_batch_rows=settings.max_batch_rows, max_queue_rows=settings.max_queue_rows
        )
        self.last_used = perf_counter()
        self._counts = _Counts()
        self._leases = 0
        self._is_retired = False

    @classmethod
    def load(cls, version: Version, registry: Registry, settings: Settings) -> Replica:
        """Check every file of a version, read it, and let it answer its own example once.

        Raises:
            ServeryError: It cannot be trusted, read or run.
        """
        registry.verify(version.reference)
        replica = cls(version, Predictor.load(version.folder, settings.threads), settings)
        example = replica.predictor.signature.example
        if example is not None:
            replica.predictor.predict(replica.read(example))
        return replica

    @property
    def is_retired(self) -> bool:
        """Whether it only finishes what it has begun."""
        return self._is_retired

    @property
    def is_closed(self) -> bool:
        """Whether it has finished all of it."""
        return self._is_retired and not self._leases

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

    async def answer(
        self, examples: Sequence[Example], parameters: Parameters, deadline: float = math.inf
    ) -> Answered:
        """Answer examples through the queue; see `Batcher.submit`."""
        started = perf_counter()
        try:
            answered = await self.batcher.submit(examples, parameters, deadline)
        except ServeryError as error:
            self._counts.errors += error.http_status >= 500
            raise
        except Exception:
            self._counts.errors += 1
            raise
        self._counts.requests += 1
        self._counts.latencies_ms.append((perf_counter() - started) * 1000)
        return answered

    def status(self, answers_to: Sequence[str]) -> ReplicaStatus:
        """Return what it is doing."""
        batches = self.batcher.counts
        latencies = sorted(self._counts.latencies_ms) or [0.0]
        return ReplicaStatus(
            reference=self.version.reference,
            state="draining" if self._is_retired else "ready",
            runtime=self.predictor.runtime.name,
            answers_to=sorted(answers_to),
            memory_bytes=self.version.size_bytes,
            requests=self._counts.requests,
            rows=batches.rows,
            errors=self._counts.errors,
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
    )
