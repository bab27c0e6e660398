"""One run of a job: row after row through the model's ordinary queue, the results noted only when they are durable."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import TypeVar

import msgspec
import structlog

from servery.data.row_files import open_rows
from servery.errors import (
    ConflictError,
    DeadlineError,
    NotReadyError,
    QuotaError,
    ServeryError,
    StorageError,
    TooLargeError,
)
from servery.serving.engine import Engine
from servery.serving.jobs.accounts import Accounts
from servery.serving.jobs.asking import Answers, Asker, Slice
from servery.serving.jobs.files import JobFiles
from servery.serving.jobs.job import Job, Progress, State
from servery.serving.jobs.pace import Pace
from servery.serving.jobs.store import JobStore
from servery.serving.replica import Replica
from servery.settings import Settings
from servery.storage.appended_file import AppendedFile
from servery.storage.clock import utc_now
from servery.tasks.answer_files import encoded, record
from servery.tasks.file_inputs import DEFAULT_ID, FileInputs, InputRow
from servery.tasks.task import Parameters

NOTE_SECONDS = 0.5
"""How often progress is made durable; a kill costs the answers of this time, which are then computed again."""
SHORT_WAIT_SECONDS = 30
"""How long a run waits for a limit itself; for longer the job goes back into the queue until then."""
DAY_SECONDS = 24 * 3600
"""What the ledger says of limits that never come back: a job that meets one fails, and can be resumed."""

PAUSE_SECONDS = 30.0
"""How long a job waits for a disk with room, a database, a model that is not ready."""

log = structlog.get_logger("servery.jobs")

Result = TypeVar("Result")


class _LostError(Exception):
    """The job was cancelled, removed, or taken by another process."""


class Run:
    """Goes on with a job where the run before it had come to.

    Args:
        job: As it was claimed.
        engine: The models.
        store: Where its progress is noted.
        files: Where its rows and results are.
        accounts: The keys.
        settings: Bounds.
    """

    def __init__(
        self,
        job: Job,
        engine: Engine,
        store: JobStore,
        files: JobFiles,
        accounts: Accounts,
        settings: Settings,
    ) -> None:
        self._job = job
        self._store = store
        self._files = files
        self._lease_seconds = settings.job_lease_seconds
        self._most_bytes = settings.max_job_result_bytes
        self._most_in_flight = max(2, min(settings.job_rows_in_flight, settings.max_queue_rows // 2))
        pace = Pace(min(self._most_in_flight // 2, settings.max_inputs))
        self._asker = Asker(job, engine, accounts, pace)
        self._progress = Progress(
            job.rows_done, job.rows_failed, job.output_bytes, job.units, job.compute_seconds
        )
        self._noted_at = monotonic()
        self._is_lost = False

    async def go(self) -> None:
        """Run the job to its end, or until it has to wait, is cancelled, or belongs to someone else."""
        log.info("job begun", job=self._job.id, model=self._job.model, rows_done=self._job.rows_done)
        work = asyncio.create_task(self._answer_all())
        beat = asyncio.create_task(self._renew(work))
        try:
            await self._ended(work)
        except asyncio.CancelledError:
            work.cancel()
            await asyncio.wait([work])
            await asyncio.to_thread(self._store.put_back, self._job)
            raise
        finally:
            beat.cancel()

    async def _ended(self, work: asyncio.Task[None]) -> None:
        await asyncio.wait([work])
        error = None if work.cancelled() else work.exception()
        pause_seconds = self._pause_seconds(error)
        if self._is_lost or isinstance(error, _LostError):
            log.info("job is no longer run here", job=self._job.id)
        elif pause_seconds is not None:
            told = error if isinstance(error, ServeryError) else None
            await asyncio.to_thread(self._store.put_back, self._job, pause_seconds, told)
            log.info("job waits", job=self._job.id, seconds=pause_seconds, code=told and told.code)
        elif isinstance(error, ServeryError):
            await self._finish(State.FAILED, error)
        elif error is not None:
            log.error("job broke off", job=self._job.id, error=type(error).__name__)
            unexpected = ServeryError("Something unexpected went wrong in the server.")
            await self._finish(State.FAILED, unexpected)
        else:
            await self._finish(State.SUCCEEDED)

    def _pause_seconds(self, error: BaseException | None) -> float | None:
        """Return after how long another run may have more luck, or None if there is no hope."""
        match error:
            case ConflictError():  # another process, taken for dead, still has the results open
                return self._lease_seconds
            case StorageError() | NotReadyError():
                return PAUSE_SECONDS
            case QuotaError(retry_after_seconds=int(seconds)) if seconds < DAY_SECONDS:
                return max(seconds, 1)
        return None

    async def _finish(self, state: State, error: ServeryError | None = None) -> None:
        await asyncio.to_thread(self._store.finish, self._job, state, error)
        code = None if error is None else error.code
        log.info("job ended", job=self._job.id, state=state.value, rows=self._progress.rows_done, code=code)

    async def _renew(self, work: asyncio.Task[None]) -> None:
        while True:
            await asyncio.sleep(self._lease_seconds / 3)
            try:
                is_own = await asyncio.to_thread(self._store.renew, self._job)
            except StorageError:
                continue  # the lease lasts longer than the database should be away
            if not is_own:
                self._is_lost = True
                work.cancel()
                return

    async def _answer_all(self) -> None:
        replica = await self._asker.replica()
        parameters = msgspec.convert(self._job.parameters, replica.task.parameters)
        inputs = await asyncio.to_thread(self._open_input, replica)
        results = self._files.results(self._job.token)
        with await _to_its_end(lambda: AppendedFile(results, self._job.output_bytes)) as output:
            try:
                await self._pump(inputs, output, parameters)
            finally:
                # Also of a run that ends early: what it has answered is kept.
                await self._note(output)

    def _open_input(self, replica: Replica) -> FileInputs:
        job, signature = self._job, replica.predictor.signature
        wanted = [*(column.name for column in signature.inputs), job.id_column or DEFAULT_ID]
        path = self._files.input(job.token, job.input_format)
        file = open_rows(path, job.input_format, wanted, skip=job.rows_done)
        return FileInputs(replica.form, signature.inputs, replica.limits, file, job.id_column)

    async def _pump(self, inputs: FileInputs, output: AppendedFile, parameters: Parameters) -> None:
        """Keep some slices of rows under way, and write what comes of them in the order of the rows."""
        under_way: deque[Slice] = deque()
        rows: list[InputRow] = []  # read, but not asked yet
        lacking: QuotaError | None = None
        has_more = True
        try:
            while has_more or rows or under_way:
                while lacking is None and (has_more or rows) and self._has_room(under_way):
                    rows = rows or await asyncio.to_thread(inputs.take, self._asker.pace.rows)
                    has_more = bool(rows)
                    if not rows:
                        break
                    try:
                        under_way.append(await self._asker.begin(rows, parameters))
                    except QuotaError as error:
                        lacking = error
                    else:
                        rows = rows[len(under_way[-1].rows) :]
                if under_way:
                    answers = await under_way[0].task
                    await self._write(under_way.popleft().rows, answers, output)
                elif lacking is not None:
                    await self._note(output)
                    await _wait(lacking)
                    lacking = None
        finally:
            for part in under_way:
                part.task.cancel()
            await asyncio.gather(*(part.task for part in under_way), return_exceptions=True)

    def _has_room(self, under_way: Sequence[Slice]) -> bool:
        in_flight = sum(len(part.rows) for part in under_way)
        return not under_way or in_flight + self._asker.pace.rows <= self._most_in_flight

    async def _write(self, rows: list[InputRow], answers: Answers, output: AppendedFile) -> None:
        def append() -> None:
            output.append(encoded(record(r.line, r.id, a) for r, a in zip(rows, answers.told, strict=True)))
            before = self._progress
            self._progress = Progress(
                before.rows_done + len(rows),
                before.rows_failed + sum(isinstance(answer, ServeryError) for answer in answers.told),
                output.length,
                before.units + answers.units,
                before.compute_seconds + answers.compute_seconds,
            )

        await _to_its_end(append)
        if monotonic() - self._noted_at > NOTE_SECONDS:
            await self._note(output)
            self._check()

    def _check(self) -> None:
        deadline = self._job.deadline_at
        if deadline is not None and utc_now() > deadline:
            raise DeadlineError(
                f"The job's deadline {deadline} passed after {self._progress.rows_done:,} rows."
            )
        if self._progress.output_bytes > self._most_bytes:
            raise TooLargeError(
                f"The results are larger than {self._most_bytes:,} bytes.", hint="Make several jobs of it."
            )

    async def _note(self, output: AppendedFile) -> None:
        """Make the results durable, and only then note how far they reach."""

        def note() -> bool:
            output.sync()
            return self._store.advance(self._job, self._progress)

        if not await _to_its_end(note):
            raise _LostError
        self._noted_at = monotonic()


async def _to_its_end(work: Callable[[], Result]) -> Result:
    """Await work in a thread, and when cancelled wait for it all the same: it writes a file that is closed next."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def _wait(error: QuotaError) -> None:
    """Wait for a limit that will be free again in a moment; a longer wait is not this run's."""
    seconds = error.retry_after_seconds
    if seconds is None or seconds > SHORT_WAIT_SECONDS:
        raise error
    await asyncio.sleep(seconds)
