"""Lets answers grow side by side: requests join and leave between steps, so that a long one never holds a short one."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import AsyncGenerator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import dataclass, field

from servery.errors import DeadlineError, OverloadedError
from servery.models.growing import GrowingRuntime, Growth
from servery.models.predictor import Predictor
from servery.serving.batcher import Answered, Counts
from servery.tasks.form import Example
from servery.tasks.growing import Piece
from servery.tasks.task import Parameters

LONGEST_RETRY_SECONDS = 60

Result = Piece | Exception | None


@dataclass(frozen=True, slots=True)
class Grown:
    """What one of a request's answers grew by.

    Attributes:
        place: Which of them.
        piece: What came; an error ends the request.
        is_last: Whether that answer is whole now.
    """

    place: int
    piece: Piece | Exception
    is_last: bool = False


@dataclass(eq=False, slots=True)
class Growing:
    """An answer that waits for its first step or grows; compared by identity.

    Attributes:
        growth: The model's own part.
        place: Which of its request's answers it is.
        owner: Who asks.
        weight: The owner's share.
        deadline: In the event loop's time.
        pieces: Where its request reads.
        queue_seconds: How long it waited before its first step.
        compute_seconds: Its share of the steps it took part in.
        most_rows: Answers in the fullest step it took part in.
    """

    growth: Growth
    place: int
    owner: str
    weight: float
    deadline: float
    pieces: asyncio.Queue[Grown | None]
    queued_at: float = field(default_factory=time.perf_counter)
    queue_seconds: float = 0.0
    compute_seconds: float = 0.0
    most_rows: int = 0


class Grower:
    """The answers of one model under way, and the thread its steps run in.

    Between two steps those that are done, left by their clients or late go, and those that wait come, an owner with
    fewer answers under way first. A step that fails is tried again by halves, so that only the one at fault gets the
    error.

    Args:
        predictor: The model.
        max_growing: Most answers side by side.
        max_queue_rows: Most answers that wait.
        max_bytes: Memory that the answers under way may need together; one alone may need more.
    """

    def __init__(
        self, predictor: Predictor, *, max_growing: int, max_queue_rows: int, max_bytes: float = math.inf
    ) -> None:
        assert isinstance(predictor.runtime, GrowingRuntime)
        self.counts = Counts()
        self._predictor = predictor
        self._runtime = predictor.runtime
        self._max_growing = max_growing
        self._max_queue_rows = max_queue_rows
        self._max_bytes = max_bytes
        self._waiting: dict[Growing, None] = {}  # ordered by arrival, and cheap to leave from the middle
        self._under_way: dict[Growing, None] = {}
        self._gone: list[Growth] = []  # what they hold is let go of before the next step
        self._runner: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="servery-grower")

    @property
    def queue_rows(self) -> int:
        """Answers that wait for their first step."""
        return len(self._waiting)

    @property
    def under_way(self) -> int:
        """Answers that grow."""
        return len(self._under_way)

    @property
    def is_busy(self) -> bool:
        """Whether a step runs, or is about to."""
        return self._runner is not None

    def queued(
        self, growths: Sequence[Growth], deadline: float = math.inf, owner: str = "", weight: float = 1.0
    ) -> list[Growing]:
        """Let the answers to one request begin as soon as there is room; `leave` them in any case.

        Args:
            growths: From `Predictor.begin`, at least one.
            deadline: In the event loop's time; what is not done by then fails.
            owner: Who asks; room goes to owners with fewer answers under way.
            weight: This owner's share against those of the others.

        Raises:
            OverloadedError: Too many wait already; nothing was done.
        """
        self._refuse_when_full(len(growths))
        pieces: asyncio.Queue[Grown | None] = asyncio.Queue()
        jobs = [
            Growing(growth, place, owner, weight, deadline, pieces) for place, growth in enumerate(growths)
        ]
        self._waiting.update(dict.fromkeys(jobs))
        if self._runner is None:
            self._runner = asyncio.get_running_loop().create_task(self._run())
        return jobs

    async def grow(
        self, jobs: Sequence[Growing], beat_seconds: float = math.inf
    ) -> AsyncGenerator[Grown | None]:
        """Yield the pieces of queued answers as they come.

        Args:
            jobs: From `queued`.
            beat_seconds: Yield None so often too, for those who must say that they are still there.

        Raises:
            DeadlineError: The deadline passed.
            ServeryError: What the model raised on one of them.
        """
        pieces = jobs[0].pieces
        loop = asyncio.get_running_loop()
        clock: asyncio.TimerHandle | None = None

        def beat() -> None:
            nonlocal clock
            pieces.put_nowait(None)
            clock = loop.call_later(beat_seconds, beat)

        try:
            if beat_seconds < math.inf:
                clock = loop.call_later(beat_seconds, beat)
            missing = len(jobs)
            while missing:
                grown = await pieces.get()
                if grown is not None:
                    if isinstance(grown.piece, Exception):
                        raise grown.piece
                    missing -= grown.is_last
                yield grown
        finally:
            if clock is not None:
                clock.cancel()
            self.leave(jobs)

    async def submit(
        self,
        examples: Sequence[Example],
        parameters: Parameters,
        deadline: float = math.inf,
        owner: str = "",
        weight: float = 1.0,
    ) -> Answered:
        """Answer these examples whole; when the caller is cancelled, they stop growing.

        Raises:
            OverloadedError: Too many wait already.
            DeadlineError: The deadline passed.
            ServeryError: What the model raised on these very examples.
        """
        growths = [self._predictor.begin(example, parameters) for example in examples]
        jobs = self.queued(growths, deadline, owner, weight)
        async with aclosing(self.grow(jobs)) as pieces:
            async for _ in pieces:
                pass
        return answered(jobs)

    def leave(self, jobs: Iterable[Growing]) -> None:
        """Let answers go, done or not; what they hold is free before the next step."""
        for job in jobs:
            self._waiting.pop(job, None)
            if job in self._under_way:
                del self._under_way[job]
                self._gone.append(job.growth)

    def close(self) -> None:
        """Let the thread end; nothing may be asked any more."""
        self._thread.shutdown(wait=False)

    def _refuse_when_full(self, count: int) -> None:
        # A request larger than the whole queue is let in when nothing waits: else it could never be answered.
        room = self._max_growing - len(self._under_way)
        if self._waiting and len(self._waiting) + count > self._max_queue_rows + room:
            error = OverloadedError(
                f"{len(self._waiting)} answers wait to begin at this model and {count} more were asked for; "
                f"at most {self._max_queue_rows} may wait.",
                hint="Send it again after the number of seconds in Retry-After.",
            )
            seconds = self.counts.seconds / max(self.counts.rows, 1) * len(self._waiting)
            error.retry_after_seconds = min(max(1, math.ceil(seconds)), LONGEST_RETRY_SECONDS)
            raise error

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting or self._under_way or self._gone:
            self._drop_late(loop.time())
            self._admit()
            jobs, gone = list(self._under_way), self._gone
            self._gone = []
            started = time.perf_counter()
            try:
                results = await loop.run_in_executor(
                    self._thread, _step, self._runtime, [job.growth for job in jobs], gone
                )
            except (
                Exception
            ) as error:  # whatever a model raises when it lets go: its clients must not wait for ever
                results = [error] * len(jobs)
            self._hand_out(jobs, results, time.perf_counter() - started)
        self._runner = None

    def _drop_late(self, now: float) -> None:
        late = [job for job in (*self._waiting, *self._under_way) if job.deadline <= now]
        for job in late:
            error = DeadlineError("The deadline passed before the answer was whole.")
            job.pieces.put_nowait(Grown(job.place, error))
        self.leave(late)

    def _admit(self) -> None:
        if not self._waiting:
            return
        busy = Counter(job.owner for job in self._under_way)
        room = self._max_bytes - sum(job.growth.most_bytes for job in self._under_way)
        while self._waiting and len(self._under_way) < self._max_growing:
            job = min(self._waiting, key=lambda job: busy[job.owner] / job.weight)  # of equals the oldest
            room -= job.growth.most_bytes
            if room < 0 and self._under_way:
                return  # nobody goes ahead of it: else one that needs much would wait for ever
            busy[job.owner] += 1
            del self._waiting[job]
            self._under_way[job] = None
            job.queue_seconds = time.perf_counter() - job.queued_at

    def _hand_out(self, jobs: list[Growing], results: list[Result], seconds: float) -> None:
        if not jobs:
            return
        self.counts.batches += 1
        self.counts.rows += len(jobs)
        self.counts.seconds += seconds
        for job, result in zip(jobs, results, strict=True):
            job.compute_seconds += seconds / len(jobs)
            job.most_rows = max(job.most_rows, len(jobs))
            if result is not None:
                job.pieces.put_nowait(Grown(job.place, result, job.growth.is_done))
            if job.growth.is_done or isinstance(result, Exception):
                self.leave([job])


def answered(jobs: Sequence[Growing]) -> Answered:
    """Return the answers of one request, as far as they have grown, and what they took."""
    return Answered(
        [job.growth.answer for job in jobs],
        max(job.queue_seconds for job in jobs),
        sum(job.compute_seconds for job in jobs),
        max(job.most_rows for job in jobs),
    )


def _step(runtime: GrowingRuntime, growths: list[Growth], gone: list[Growth]) -> list[Result]:
    if gone:
        runtime.end(gone)
    return _by_halves(runtime, growths) if growths else []


def _by_halves(runtime: GrowingRuntime, growths: list[Growth]) -> list[Result]:
    """Take a step; where it fails, let its halves take it, until the one at fault stands alone."""
    try:
        return runtime.step(growths)
    except (
        Exception
    ) as error:  # a model may raise anything; it is told to its own client, not to the neighbours
        if len(growths) == 1:
            return [error]
        middle = len(growths) // 2
        return [*_by_halves(runtime, growths[:middle]), *_by_halves(runtime, growths[middle:])]
