"""Asks a model for slices of a job's rows: patiently while it is busy, row by row where one cannot be answered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from itertools import count
from typing import TypeVar

import structlog

from servery.errors import NotReadyError, OverloadedError, QuotaError, ServeryError
from servery.serving.engine import Engine
from servery.serving.jobs.accounts import Accounts, Hold
from servery.serving.jobs.job import Job
from servery.serving.jobs.pace import Pace
from servery.serving.replica import Replica
from servery.tasks.file_inputs import InputRow
from servery.tasks.form import Example
from servery.tasks.task import Answer, Parameters

WEIGHT = 0.1
"""Of a job's rows against requests that someone waits for."""
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 30.0
MOST_ATTEMPTS = 8
"""How often a model that is not ready is asked; about two minutes."""

log = structlog.get_logger("servery.jobs")

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Answers:
    """What came of some rows, in their order, and what it took.

    Attributes:
        told: An answer or an error a row.
        units: Of what the model's task counts.
        compute_seconds: Of the model.
    """

    told: list[Answer | ServeryError]
    units: int = 0
    compute_seconds: float = 0.0

    def __add__(self, other: Answers) -> Answers:
        seconds = self.compute_seconds + other.compute_seconds
        return Answers([*self.told, *other.told], self.units + other.units, seconds)


@dataclass(frozen=True, slots=True)
class Slice:
    """Rows that are being asked together."""

    rows: list[InputRow]
    task: asyncio.Task[Answers]


class _RowsError(Exception):
    """The model could not answer these rows; asked for halves of them, it tells which one is at fault."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(cause)
        self.told = (
            cause if isinstance(cause, ServeryError) else ServeryError("The model failed on this row.")
        )


class Asker:
    """Asks one job's model.

    Attributes:
        pace: How many rows to ask at once.

    Args:
        job: Whose rows they are.
        engine: The models.
        accounts: The keys.
        pace: Learns from every slice.
    """

    def __init__(self, job: Job, engine: Engine, accounts: Accounts, pace: Pace) -> None:
        self.pace = pace
        self._job = job
        self._engine = engine
        self._accounts = accounts

    async def replica(self) -> Replica:
        """Return the job's model, waiting until there is room for it.

        Raises:
            ModelNotFoundError: It was removed.
            ModelLoadError: It cannot be brought up.
        """
        return await _patiently(lambda: self._engine.replica(self._job.model))

    async def begin(self, rows: list[InputRow], parameters: Parameters) -> Slice:
        """Begin to answer the first of these rows: as many as the key has enough left for.

        What they can use is held here and now, in the order of the rows, so that no later row takes what an earlier
        one lacks.

        Raises:
            QuotaError: It has not enough for one row.
            UnauthenticatedError: The key was revoked, or has expired.
        """
        while True:
            asked = _readable(rows)
            try:
                hold = await self._hold(asked) if asked else None
            except QuotaError:
                if len(rows) == 1:
                    raise
                rows = rows[: len(rows) // 2]
            else:
                return Slice(rows, asyncio.create_task(self._answer(rows, asked, hold, parameters)))

    async def _hold(self, asked: list[Example]) -> Hold:
        replica = await self.replica()
        units = replica.task.most_units(asked)
        return await _patiently(lambda: self._accounts.hold(self._job.key_id, replica, units))

    async def _answer(
        self, rows: list[InputRow], asked: list[Example], hold: Hold | None, parameters: Parameters
    ) -> Answers:
        if hold is None:
            return Answers([row.example for row in rows if isinstance(row.example, ServeryError)])
        try:
            answers = await self._ask(asked, parameters)
            hold.settle(answers.units, answers.compute_seconds)
        finally:
            hold.release()
        told = iter(answers.told)
        in_order = [row.example if isinstance(row.example, ServeryError) else next(told) for row in rows]
        return replace(answers, told=in_order)

    async def _ask(self, examples: list[Example], parameters: Parameters) -> Answers:
        try:
            return await _patiently(lambda: self._ask_at_once(examples, parameters))
        except _RowsError as error:
            if len(examples) == 1:
                return Answers([error.told])
        middle = len(examples) // 2
        first = await self._ask(examples[:middle], parameters)
        return first + await self._ask(examples[middle:], parameters)

    async def _ask_at_once(self, examples: list[Example], parameters: Parameters) -> Answers:
        key = self._job.key_id
        replica = await self._engine.replica(self._job.model)
        with replica.lease():
            weight = WEIGHT * await self._accounts.weight(key)
            try:
                answered = await replica.answer(examples, parameters, owner=f"jobs of {key}", weight=weight)
            except (OverloadedError, NotReadyError):
                raise
            except Exception as error:  # a model may raise anything; it is told of its own row
                raise _RowsError(error) from error
        self.pace.note(len(examples), answered.compute_seconds)
        units = replica.task.units_of(answered.answers)
        return Answers(list(answered.answers), units, answered.compute_seconds)


def _readable(rows: list[InputRow]) -> list[Example]:
    return [row.example for row in rows if not isinstance(row.example, ServeryError)]


async def _patiently(call: Callable[[], Awaitable[Result]]) -> Result:
    """Ask again while the server is busy: a job has time."""
    for attempt in count():
        try:
            return await call()
        except (OverloadedError, NotReadyError) as error:
            if isinstance(error, NotReadyError) and attempt >= MOST_ATTEMPTS:
                raise
            asked = error.retry_after_seconds
            pause = asked or min(FIRST_PAUSE_SECONDS * 2**attempt, LONGEST_PAUSE_SECONDS)
        log.info("job waits for its model", seconds=pause)
        await asyncio.sleep(pause)
    raise AssertionError("count() never ends")
