"""Answers that grow, whatever protocol asked for them: read, reserved, streamed or whole, and settled to the unit."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import structlog

from servery.errors import ServeryError
from servery.gateway.ledger import Reservation
from servery.gateway.message import Request, Response, milliseconds
from servery.gateway.sse import CONTENT_TYPE, HEADERS, HEARTBEAT
from servery.models.growing import Growth
from servery.serving.batcher import Answered
from servery.serving.grower import Grower, Growing, Grown, answered
from servery.serving.replica import Replica
from servery.tasks.form import Example
from servery.tasks.growing import GrowingTask
from servery.tasks.task import Parameters, find_task

HEARTBEAT_SECONDS = 15.0
LARGE_PROMPT_CHARACTERS = 16 * 2**10
"""From this size on a prompt is cut into tokens in a thread, so that it does not hold up everyone else."""

log = structlog.get_logger("servery.gateway")


@dataclass(frozen=True, slots=True)
class Wanted:
    """One answer that a request wants.

    Attributes:
        example: The prompt.
        parameters: What is asked of the answer.
        counts_prompt: Whether the prompt is on the bill; of several answers to one prompt it is so once.
    """

    example: Example
    parameters: Parameters
    counts_prompt: bool = True


Read = Callable[[Replica], Awaitable[list[Wanted]]]
"""Reads what is wanted, once the model is known."""


async def grows(request: Request) -> bool:
    """Return whether the answers of the model in the request's path grow; loads nothing.

    Raises:
        ModelNotFoundError: There is no such model.
    """
    engine, reference = request.gateway.engine, request.parameters["model"]
    replica = engine.loaded(reference)
    task = find_task((await engine.version(reference)).task) if replica is None else replica.task
    return isinstance(task, GrowingTask)


class Answers:
    """The answers to one request while they grow.

    Attributes:
        replica: Who answers; the request holds a lease of it.
        wanted: What is asked.
        growths: The answers, in the order of `wanted`; from the first piece on.
    """

    def __init__(self, request: Request, replica: Replica, wanted: Sequence[Wanted]) -> None:
        self.replica = replica
        self.wanted = list(wanted)
        self.growths: list[Growth] = []
        self._request = request
        self._jobs: list[Growing] = []

    @property
    def prompt_units(self) -> int:
        """Units of the prompts, each counted once."""
        return sum(growth.prompt_units for growth in self._with_prompts())

    @property
    def grown_units(self) -> int:
        """Units of the answers so far."""
        return sum(growth.grown_units for growth in self.growths)

    @property
    def units(self) -> int:
        """What has been used so far: of the prompts what was read, and what has grown."""
        return sum(growth.read_units for growth in self._with_prompts()) + self.grown_units

    @property
    def answered(self) -> Answered:
        """The answers as far as they have grown, and what they took."""
        return answered(self._jobs)

    async def pieces(self, deadline: float, beat_seconds: float = math.inf) -> AsyncGenerator[Grown | None]:
        """Let them grow, reserved before and settled after, however it ends; yield what comes, and None as heartbeat.

        Args:
            deadline: In the event loop's time; what is not done by then fails.
            beat_seconds: How often a heartbeat comes.

        Raises:
            InputError: What came is not what the model takes.
            QuotaError: The key has not enough left.
            OverloadedError: Too many wait already.
            DeadlineError: The deadline passed.
        """
        request, grower = self._request, self.replica.grower
        assert isinstance(grower, Grower)
        self.growths = await self._begun()
        most = self.prompt_units + sum(growth.most_grown_units for growth in self.growths)
        reservation = await request.reserve(self.replica, most)
        started, is_error = time.perf_counter(), False
        try:
            owner = request.key.id if request.key is not None else ""
            self._jobs = grower.queued(self.growths, deadline, owner)
            async with aclosing(grower.grow(self._jobs, beat_seconds)) as pieces:
                async for grown in pieces:
                    yield grown
        except Exception as error:
            is_error = not isinstance(error, ServeryError) or error.http_status >= 500
            raise
        finally:
            self._settle(reservation)
            self.replica.count_grown(time.perf_counter() - started, self._queue_seconds, is_error)

    @property
    def _queue_seconds(self) -> float:
        return max((job.queue_seconds for job in self._jobs), default=0.0)

    async def _begun(self) -> list[Growth]:
        def begin() -> list[Growth]:
            return [self.replica.predictor.begin(w.example, w.parameters) for w in self.wanted]

        size = sum(len(str(value)) for wanted in self.wanted for value in wanted.example.values())
        return await asyncio.to_thread(begin) if size > LARGE_PROMPT_CHARACTERS else begin()

    def _with_prompts(self) -> list[Growth]:
        return [g for g, wanted in zip(self.growths, self.wanted, strict=False) if wanted.counts_prompt]

    def _settle(self, reservation: Reservation) -> None:
        if not self.units:
            reservation.release()
            return
        took, measures = self.answered, self._request.measures
        reservation.settle(self.units, took.compute_seconds)
        measures.queue_seconds, measures.compute_seconds = took.queue_seconds, took.compute_seconds
        measures.batch_rows, measures.unit, measures.units = (
            took.batch_rows,
            self.replica.task.unit,
            self.units,
        )


async def grow_whole(
    request: Request, replica: Replica, wanted: Sequence[Wanted], deadline: float
) -> Answers:
    """Let answers grow to their ends; the caller holds a lease.

    Raises:
        ServeryError: See `Answers.pieces`.
    """
    answers = Answers(request, replica, wanted)
    async with aclosing(answers.pieces(deadline)) as pieces:
        async for _ in pieces:
            pass
    return answers


async def whole_answers(request: Request, protocol: str, reference: str, read: Read) -> Answers:
    """Answer a request whose body has been read, all at once.

    Args:
        request: Who asks, and until when.
        protocol: What telemetry calls it.
        reference: The model.
        read: Reads what is wanted, once the model is known.

    Raises:
        ModelNotFoundError: There is no such model.
        CancelledError: The client went away.
        ServeryError: See `Answers.pieces`.
    """
    deadline = request.deadline()

    async def work() -> Answers:
        replica = await request.gateway.engine.replica(reference)
        with replica.lease():
            request.note(replica, protocol)
            return await grow_whole(request, replica, await read(replica), deadline)

    answers = await request.within(deadline, work())
    took = answers.answered
    request.timings["queue"] = milliseconds(took.queue_seconds)
    request.timings["compute"] = milliseconds(took.compute_seconds)
    return answers


@dataclass(frozen=True)
class Events:
    """How a protocol tells a stream of pieces; each returns whole server-sent events.

    Attributes:
        piece: Tells what came.
        end: Tells that all is there.
        error: Tells what went wrong after the head was sent.
        start: Comes before the first piece.
    """

    piece: Callable[[Answers, Grown], bytes]
    end: Callable[[Answers], bytes]
    error: Callable[[ServeryError], bytes]
    start: Callable[[Answers], bytes] | None = None


async def streamed(request: Request, protocol: str, reference: str, read: Read, events: Events) -> Response:
    """Answer a request whose body has been read piece by piece.

    The first piece is there before the head is sent, so that what is refused has its status. Up to it the request's
    deadline holds, and for the rest too where the client named one.

    Args:
        request: Who asks, and until when.
        protocol: What telemetry calls it.
        reference: The model.
        read: Reads what is wanted, once the model is known.
        events: How the protocol tells it.

    Raises:
        ModelNotFoundError: There is no such model.
        CancelledError: The client went away.
        ServeryError: See `Answers.pieces`.
    """
    deadline = request.deadline()
    last = deadline if request.header("x-deadline-ms") is not None else math.inf
    stream = _told(request, protocol, reference, read, events, last)
    first = await request.within(deadline, anext(stream))
    return Response(content_type=CONTENT_TYPE, headers=list(HEADERS), stream=_chained(first, stream))


async def _told(
    request: Request, protocol: str, reference: str, read: Read, events: Events, deadline: float
) -> AsyncGenerator[bytes]:
    replica = await request.gateway.engine.replica(reference)
    with replica.lease():
        request.note(replica, protocol)
        answers = Answers(request, replica, await read(replica))
        is_begun = False
        try:
            async with aclosing(answers.pieces(deadline, HEARTBEAT_SECONDS)) as pieces:
                async for grown in pieces:
                    if grown is None:
                        if is_begun:
                            yield HEARTBEAT
                        continue
                    start = b"" if is_begun or events.start is None else events.start(answers)
                    if told := start + events.piece(answers, grown):
                        is_begun = True
                        yield told
            yield events.end(answers)
        except Exception as error:
            if not is_begun:
                raise
            yield events.error(tellable(error, request))


async def _chained(first: bytes, rest: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    async with aclosing(rest):
        yield first
        async for part in rest:
            yield part


def tellable(error: Exception, request: Request) -> ServeryError:
    """Return an error as a client may read it, noted for telemetry; one nobody foresaw keeps its words to itself."""
    if not isinstance(error, ServeryError):
        # Not the message: it may quote what was sent.
        log.error("stream failed", request_id=request.id, error=type(error).__name__, **request.notes)
        error = ServeryError("Something unexpected went wrong in the server.")
    request.measures.error_code = error.code
    return error
