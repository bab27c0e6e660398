"""Makes batches of what queued while the model was busy; a lone request never waits for company."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Any

from servery.errors import DeadlineError, OverloadedError
from servery.models.encoder import Encoder
from servery.models.predictor import Predictor
from servery.tasks.form import Example
from servery.tasks.task import Answer, Parameters

SMALL = 32
"""Sizes below this count as alike."""
CANDIDATES = 256
"""How many of the oldest waiting jobs are looked at for one batch."""


@dataclass(frozen=True, slots=True)
class Answered:
    """The answers to one request, in its order, and what they took.

    Attributes:
        answers: One an example.
        queue_seconds: Longest wait of a part of it before its batch began.
        compute_seconds: Its share of the forward passes it took part in.
        batch_rows: Rows of the largest batch it was part of.
    """

    answers: list[Answer]
    queue_seconds: float
    compute_seconds: float
    batch_rows: int


@dataclass(eq=False, slots=True)
class _Job:
    """Part of a request that fits into one batch; compared by identity."""

    examples: Sequence[Example]
    size: int
    parameters: Parameters
    deadline: float
    future: asyncio.Future[Answered]
    queued_at: float = field(default_factory=time.perf_counter)


@dataclass(slots=True)
class Counts:
    """What a batcher has done so far."""

    batches: int = 0
    rows: int = 0
    seconds: float = 0.0


class Batcher:
    """The queue of one model and the thread its forward passes run in.

    A batch is taken from the queue at the moment the model is free: the oldest job and those most like it in size,
    up to `max_batch_rows`. Jobs that were cancelled or are past their deadline never enter one. When a batch fails,
    it is run again by halves, so that only the job at fault gets the error.
    """

    def __init__(self, predictor: Predictor, *, max_batch_rows: int, max_queue_rows: int) -> None:
        self.counts = Counts()
        self.queue_rows = 0
        self._predictor = predictor
        self._pads = type(predictor.encoder).sizes is not Encoder.sizes
        self._max_batch_rows = max_batch_rows
        self._max_queue_rows = max_queue_rows
        self._waiting: dict[_Job, None] = {}  # ordered by arrival, and cheap to leave from the middle
        self._puller: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="servery-model")

    async def submit(
        self, examples: Sequence[Example], parameters: Parameters, deadline: float = math.inf
    ) -> Answered:
        """Answer these examples; when the caller is cancelled, what still waits is dropped.

        Args:
            examples: At least one.
            parameters: What is asked of the prediction.
            deadline: In the event loop's time; what has not begun by then never begins.

        Raises:
            OverloadedError: The queue is full; nothing was done.
            DeadlineError: The deadline passed before the model was free.
            ServeryError: What the model raised on these very examples.
        """
        self._refuse_when_full(len(examples))
        sizes = [self._size(example) for example in examples]
        order = sorted(range(len(examples)), key=sizes.__getitem__)
        chunks = [
            order[start : start + self._max_batch_rows]
            for start in range(0, len(order), self._max_batch_rows)
        ]
        loop = asyncio.get_running_loop()
        jobs = [
            _Job([examples[i] for i in chunk], sizes[chunk[-1]], parameters, deadline, loop.create_future())
            for chunk in chunks
        ]
        for job in jobs:
            self._waiting[job] = None
        self.queue_rows += len(examples)
        if self._puller is None:
            self._puller = loop.create_task(self._pull())
        try:
            if len(jobs) == 1:
                return _in_order(order, [await jobs[0].future])
            return _in_order(order, await asyncio.gather(*(job.future for job in jobs)))
        finally:
            for job in jobs:
                self._leave(job)

    def close(self) -> None:
        """Let the thread end; nothing may be submitted any more."""
        self._thread.shutdown(wait=False)

    def _refuse_when_full(self, rows: int) -> None:
        # A request larger than the whole queue is let in when nothing waits: else it could never be answered.
        if self.queue_rows and self.queue_rows + rows > self._max_queue_rows:
            error = OverloadedError(
                f"{self.queue_rows} inputs are waiting for this model and {rows} more were sent; "
                f"at most {self._max_queue_rows} may wait.",
                hint="Send it again after the number of seconds in Retry-After.",
            )
            seconds_a_row = self.counts.seconds / self.counts.rows if self.counts.rows else 0.0
            error.retry_after_seconds = min(max(1, math.ceil(self.queue_rows * seconds_a_row)), 60)
            raise error

    def _size(self, example: Example) -> int:
        # Characters stand for tokens: to count those would be to encode twice, and here on the event loop.
        return 1 + sum(len(v) for v in example.values() if isinstance(v, str)) if self._pads else 1

    def _leave(self, job: _Job) -> None:
        if job in self._waiting:
            del self._waiting[job]
            self.queue_rows -= len(job.examples)
        job.future.cancel()

    async def _pull(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch = self._next_batch(loop.time())
            if not batch:
                continue
            started = time.perf_counter()
            try:
                results = await loop.run_in_executor(self._thread, _answer, self._predictor, batch)
            except Exception as error:
                results = [error] * len(batch)
            self._hand_out(batch, results, started)
        self._puller = None

    def _next_batch(self, now: float) -> list[_Job]:
        alive = []
        for job in list(islice(self._waiting, CANDIDATES)):
            if job.deadline > now:
                alive.append(job)
                continue
            self._waiting.pop(job)
            self.queue_rows -= len(job.examples)
            if not job.future.done():
                job.future.set_exception(DeadlineError("The deadline passed while the request waited."))
        batch = _like_sizes(alive, self._max_batch_rows)
        for job in batch:
            self._waiting.pop(job)
            self.queue_rows -= len(job.examples)
        return batch

    def _hand_out(self, batch: list[_Job], results: Sequence[Any], started: float) -> None:
        seconds = time.perf_counter() - started
        rows = sum(len(job.examples) for job in batch)
        self.counts.batches += 1
        self.counts.rows += rows
        self.counts.seconds += seconds
        for job, result in zip(batch, results, strict=True):
            if job.future.done():
                continue  # its client has gone
            if isinstance(result, Exception):
                job.future.set_exception(result)
            else:
                share = seconds * len(job.examples) / rows
                job.future.set_result(Answered(result, started - job.queued_at, share, rows))


def _like_sizes(jobs: list[_Job], max_rows: int) -> list[_Job]:
    """Return the oldest job and those nearest to it in size: from half of it to double."""
    if not jobs:
        return []
    oldest = jobs[0]
    size = max(oldest.size, SMALL)
    batch, rows = [oldest], len(oldest.examples)
    for job in sorted(jobs[1:], key=lambda job: abs(job.size - size)):
        if rows + len(job.examples) > max_rows or not size / 2 <= max(job.size, SMALL) <= size * 2:
            break
        batch.append(job)
        rows += len(job.examples)
    return batch


def _answer(predictor: Predictor, jobs: list[_Job]) -> list[list[Answer] | Exception]:
    """Run a batch; where it fails, run its halves, until the job at fault stands alone."""
    try:
        outputs = predictor.run(predictor.encode([example for job in jobs for example in job.examples]))
        answers: list[list[Answer] | Exception] = []
        start = 0
        for parameters, same in groupby(jobs, key=lambda job: job.parameters):
            counts = [len(job.examples) for job in same]
            decoded = predictor.decode(outputs[start : start + sum(counts)], parameters)
            start += sum(counts)
            for count in counts:
                answers.append(decoded[:count])
                decoded = decoded[count:]
        return answers
    except (
        Exception
    ) as error:  # a model may raise anything; it is told to its own client, not to the neighbours
        if len(jobs) == 1:
            return [error]
        middle = len(jobs) // 2
        return [*_answer(predictor, jobs[:middle]), *_answer(predictor, jobs[middle:])]


def _in_order(order: list[int], parts: Sequence[Answered]) -> Answered:
    if len(order) == 1:
        return parts[0]
    answers = [answer for part in parts for answer in part.answers]
    restored: list[Any] = [None] * len(order)
    for place, answer in zip(order, answers, strict=True):
        restored[place] = answer
    return Answered(
        restored,
        max(part.queue_seconds for part in parts),
        sum(part.compute_seconds for part in parts),
        max(part.batch_rows for part in parts),
    )
