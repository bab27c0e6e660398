"""Makes batches of what queued while the model was busy; a lone request never waits for company."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, NamedTuple

import msgspec

from servery.errors import DeadlineError, OverloadedError
from servery.models.encoder import Encoder
from servery.models.predictor import Predictor
from servery.serving.fair_queue import FairQueue, Job
from servery.serving.forward import Result, answer
from servery.serving.latency_model import LatencyModel
from servery.serving.work import has_sizes, size_of
from servery.tasks.form import Example
from servery.tasks.task import Answer, Parameters

LONGEST_RETRY_SECONDS = 60
TOLERATED_BLOCK_SECONDS = 0.05
"""After a batch that kept the event loop from everyone else for longer, the thread is used for a while. On a crowded
machine the system takes the processor away for 10 ms now and then; that says nothing about the model."""
OFF_LOOP_SECONDS = 10.0


class Answered(msgspec.Struct, frozen=True):
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


class _Batch(NamedTuple):
    jobs: list[Job]
    gone: list[Job]  # met on the way, cancelled or too late
    rows: int


EMPTY = _Batch([], [], 0)
HALVES_COST = 1.15
"""Two half batches may take so much longer than a whole one: the loop reads and answers one while the other runs."""


CAUTION = 1.2
"""What was learned of a batch's time is a mean: every second batch takes longer, but few by more than a fifth."""
LAG_SHARE = 0.1
"""How much the newest lag of the loop counts in its mean; a loop that drowns in refusals answers late too."""


@dataclass(slots=True)
class Counts:
    """What a batcher has done so far."""

    batches: int = 0
    rows: int = 0
    seconds: float = 0.0


class Batcher:
    """The queue of one model, and where its forward passes run: on the event loop, or in a thread of their own.

    A batch is taken from the queue at the moment the model is free: what is next in fair turn between the owners,
    joined by jobs like it in size, up to `max_batch_rows`. On the loop, everything that arrived in one turn of it is
    one batch. Jobs that were cancelled or are past their deadline never enter one.

    Args:
        predictor: The model.
        max_batch_rows: Most rows of a batch.
        max_queue_rows: Most rows that wait.
        inline_work: Batches of up to so many rows times sizes run on the event loop: cheapest, and right where that
            takes less than to hand them to a thread and back. Others, and all where it is 0, run in the thread.
        latency: What is known of how long a batch takes.
    """

    def __init__(
        self,
        predictor: Predictor,
        *,
        max_batch_rows: int,
        max_queue_rows: int,
        inline_work: float = 0.0,
        latency: LatencyModel | None = None,
    ) -> None:
        self.counts = Counts()
        self.latency = latency if latency is not None else LatencyModel()
        self._undisturbed = copy(self.latency)  # what the loop's own work does not slow
        self._predictor = predictor
        self._pads = type(predictor.encoder).sizes is not Encoder.sizes
        self._has_sizes = self._pads or has_sizes(predictor.signature.inputs)
        self._inline_work = inline_work
        self._off_loop_until = -math.inf
        self._max_batch_rows = max_batch_rows
        self._max_queue_rows = max_queue_rows
        self._queue = FairQueue()
        self._lock = threading.Lock()  # of the queue and the next line
        self._is_awake = False
        self._ends_at = -math.inf  # when the batch under way should be done
        self._lag_seconds = 0.0  # how late the loop hands out what is done, of late
        self._loop: asyncio.AbstractEventLoop | None = None
        self._seen_rows = 0  # that waited a turn of the loop ago
        self._answered_rows = 0  # by the thread just now
        self._last_rows = 0  # of the batch before
        self._bell: SimpleQueue[_Batch | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._wake = self._turn if inline_work else self._ring

    @property
    def queue_rows(self) -> int:
        """Rows that wait now."""
        return self._queue.rows

    @property
    def is_busy(self) -> bool:
        """Whether a batch runs, or is about to."""
        return self._is_awake

    async def submit(
        self,
        examples: Sequence[Example],
        parameters: Parameters,
        deadline: float = math.inf,
        owner: str = "",
        weight: float = 1.0,
    ) -> Answered:
        """Answer these examples; when the caller is cancelled, what still waits is dropped.

        Args:
            examples: At least one.
            parameters: What is asked of the prediction.
            deadline: In the event loop's time; what has not begun by then never begins.
            owner: Who asks; the model's time is shared fairly between those who wait.
            weight: This owner's share against those of the others.

        Raises:
            OverloadedError: The queue is full, or so long that the deadline would pass; nothing was done.
            DeadlineError: The deadline passed before the model was free.
            ServeryError: What the model raised on these very examples.
        """
        rows = len(examples)
        if self._is_awake:
            self.make_room(rows, deadline, owner, weight)
        loop = asyncio.get_running_loop()
        if rows > self._max_batch_rows:
            return await self._submit_parts(examples, parameters, deadline, owner, weight)
        size = max(map(size_of, examples)) if self._has_sizes else 1
        job = Job(examples, size, parameters, deadline, loop.create_future())
        self._put(job, owner, weight, loop)
        try:
            return await job.future  # type: ignore[no-any-return]
        finally:
            if job.line is not None:
                self._leave(job)

    def make_room(self, rows: int, deadline: float = math.inf, owner: str = "", weight: float = 1.0) -> None:
        """Refuse rows for which there is no room or no time; cheap, so it may be asked before a body is read.

        A full queue makes room by giving up the newest jobs of an owner with more than its share.

        Raises:
            OverloadedError: Nothing was done; `retry_after_seconds` says when to come back.
        """
        queued = self._queue.rows
        # A request larger than the whole queue is let in when nothing waits: else it could never be answered.
        if queued and queued + rows > self._max_queue_rows:
            self._crowd_out(queued + rows - self._max_queue_rows, rows, owner, weight)
        if deadline == math.inf or not self._is_awake or not self.latency.is_known:
            return  # an idle model always tries: what was learned of it may be wrong
        now = time.monotonic()
        before = self._queue.rows_before(rows, owner, weight)
        seconds = self.latency.seconds_in_batches(before, self._max_batch_rows)
        if max(self._ends_at, now) + CAUTION * seconds + self._lag_seconds > deadline:
            raise self._overloaded(
                f"{queued} inputs wait for this model; an answer would take about {seconds:.1f} seconds, "
                f"but must be there in {max(deadline - now, 0):.1f}."
            )

    def close(self) -> None:
        """Let the thread end; nothing may be submitted any more."""
        self._bell.put(None)

    async def _submit_parts(
        self,
        examples: Sequence[Example],
        parameters: Parameters,
        deadline: float,
        owner: str,
        weight: float,
    ) -> Answered:
        loop = asyncio.get_running_loop()
        sizes = [size_of(example) if self._has_sizes else 1 for example in examples]
        order = sorted(range(len(examples)), key=sizes.__getitem__)
        jobs = []
        for start in range(0, len(order), self._max_batch_rows):
            part = order[start : start + self._max_batch_rows]
            some = [examples[i] for i in part]
            jobs.append(Job(some, sizes[part[-1]], parameters, deadline, loop.create_future()))
            self._put(jobs[-1], owner, weight, loop)
        try:
            return _in_order(order, await asyncio.gather(*(job.future for job in jobs)))
        finally:
            for job in jobs:
                self._leave(job)
                job.future.cancel()

    def _put(self, job: Job, owner: str, weight: float, loop: asyncio.AbstractEventLoop) -> None:
        with self._lock:
            self._queue.put(job, owner, weight)
            if self._is_awake:
                return
            self._is_awake = True
        # Not at once: what else arrives in this turn of the loop belongs to the same batch.
        self._loop = loop
        loop.call_soon(self._wake)

    def _leave(self, job: Job) -> None:
        with self._lock:
            self._queue.remove(job)

    def _crowd_out(self, excess: int, rows: int, owner: str, weight: float) -> None:
        with self._lock:
            given_up = self._queue.crowding(excess, rows, owner, weight)
            for job in given_up:
                self._queue.remove(job)
        queued = self._queue.rows
        error = self._overloaded(
            f"{queued} inputs are waiting for this model and {rows} more were sent; "
            f"at most {self._max_queue_rows} may wait."
        )
        if not given_up:
            raise error
        for job in given_up:
            if not job.future.done():
                job.future.set_exception(error)

    def _overloaded(self, message: str) -> OverloadedError:
        error = OverloadedError(
            message, hint="Send it again after the number of seconds in Retry-After, or allow more time."
        )
        seconds = self.latency.seconds_in_batches(self._queue.rows, self._max_batch_rows)
        error.retry_after_seconds = min(max(1, math.ceil(seconds)), LONGEST_RETRY_SECONDS)
        return error

    def _take(self, most_rows: Callable[[], int]) -> _Batch:
        now = time.monotonic()
        with self._lock:
            jobs, gone = self._queue.take(self._in_time(most_rows(), now), now, by_size=self._pads)
            if not jobs:
                self._is_awake = False
        rows = sum([job.rows for job in jobs])
        self._ends_at = now + self.latency.seconds(rows)
        return _Batch(jobs, gone, rows)

    def _in_time(self, most: int, now: float) -> int:
        """Return at most so many rows, so few that the batch ends before the deadline of the next in turn.

        That one was let in before those who came after it, and would be answered too late together with all of them.
        """
        if not self._queue.rows or not self.latency.is_known:
            return most
        seconds = self._queue.next_deadline(now) - now - self._lag_seconds
        rows = self.latency.rows_within(seconds / CAUTION)
        return int(min(most, rows)) if rows >= 1 else most  # too late even alone: it need not cost the others

    def _whole(self) -> int:
        return self._max_batch_rows

    def _by_halves(self) -> int:
        """Return how many rows the thread's next batch may have: all, or half of those who ask in turn.

        Callers that wait for their answers come back together. Were they one batch, the loop and the model would wait
        for each other; as two halves, both are busy.
        """
        waiting = self._queue.rows
        half = (waiting + self._answered_rows + 1) // 2
        seconds = self._undisturbed.seconds
        costs_little = self._undisturbed.is_known and 2 * seconds(half) <= HALVES_COST * seconds(2 * half)
        return half if costs_little and half < waiting < self._max_batch_rows else self._max_batch_rows

    def _turn(self) -> None:
        """Run one batch on the event loop, then let it do what else there is; a large one goes to the thread."""
        assert self._loop is not None
        waiting = self._queue.rows
        if self._seen_rows < waiting < self._last_rows:
            # Fewer than the last time, and more in each turn of the loop: those answered then are asking again.
            # Without this, batches halve and a request costs up to a fifth more CPU (benchmarks/serving/placement.py).
            self._seen_rows = waiting
            self._loop.call_soon(self._turn)
            return
        self._seen_rows, self._last_rows = 0, min(waiting, self._max_batch_rows)
        batch = self._take(self._whole)  # nothing runs beside the loop, so that halves would gain nothing
        started = time.monotonic()
        if batch.jobs and not self._is_short(batch, started):
            self._ring(batch)
            return
        results = answer(self._predictor, batch.jobs) if batch.jobs else []
        seconds = time.monotonic() - started
        if seconds > TOLERATED_BLOCK_SECONDS:
            self._off_loop_until = started + seconds + OFF_LOOP_SECONDS
        self._hand_out(batch, results, started, seconds)
        if not batch.jobs:
            return
        with self._lock:
            self._is_awake = bool(self._queue.rows)
        if self._is_awake:
            self._loop.call_soon(self._turn)

    def _is_short(self, batch: _Batch, now: float) -> bool:
        size = max([job.size for job in batch.jobs]) if self._has_sizes else 1
        return batch.rows * size <= self._inline_work and now >= self._off_loop_until

    def _ring(self, batch: _Batch = EMPTY) -> None:
        if self._thread is None:
            # A daemon: a forward pass that never ends must not keep the server from ending.
            self._thread = threading.Thread(target=self._serve, name="servery-model", daemon=True)
            self._thread.start()
        self._bell.put(batch)

    def _serve(self) -> None:
        """Run batches in this thread while there are any; the next is taken without waiting for the loop."""
        assert self._loop is not None
        while (batch := self._bell.get()) is not None:
            batch = batch if batch.jobs else self._take(self._by_halves)
            while batch.jobs or batch.gone:
                started = time.monotonic()
                results = answer(self._predictor, batch.jobs) if batch.jobs else []
                seconds = time.monotonic() - started
                try:
                    self._loop.call_soon_threadsafe(self._hand_out, batch, results, started, seconds)
                except RuntimeError:  # the loop has been closed: nobody waits any more
                    return
                self._answered_rows = batch.rows
                batch = self._take(self._by_halves) if batch.jobs else EMPTY

    def _hand_out(self, batch: _Batch, results: list[Result], started: float, seconds: float) -> None:
        for job in batch.gone:
            if not job.future.done():
                job.future.set_exception(DeadlineError("The deadline passed while the request waited."))
        if not batch.jobs:
            return
        rows = batch.rows
        self.counts.batches += 1
        self.counts.rows += rows
        self.counts.seconds += seconds
        self.latency.learn(rows, seconds)
        lag = max(time.monotonic() - started - seconds, 0.0)
        self._lag_seconds += LAG_SHARE * (lag - self._lag_seconds)
        a_row = seconds / rows
        for job, result in zip(batch.jobs, results, strict=True):
            future = job.future
            if future.done():
                continue  # its client has gone
            if isinstance(result, Exception):
                future.set_exception(result)
            else:
                future.set_result(Answered(result, started - job.queued_at, a_row * job.rows, rows))


def _in_order(order: list[int], parts: Sequence[Answered]) -> Answered:
    answers = [answer for part in parts for answer in part.answers]
    restored: list[Any] = [None] * len(order)
    for place, given in zip(order, answers, strict=True):
        restored[place] = given
    return Answered(
        restored,
        max(part.queue_seconds for part in parts),
        sum(part.compute_seconds for part in parts),
        max(part.batch_rows for part in parts),
    )
