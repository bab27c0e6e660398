"""The durable queue of jobs: one process at a time holds a job, by a lease that it must keep renewing."""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, and_, delete, func, insert, or_, select, update

from servery.errors import ConflictError, NotFoundError, QuotaError, ServeryError
from servery.serving.jobs.deliveries import forget_deliveries, note_delivery
from servery.serving.jobs.job import Job, NewJob, Progress, State, error_facts
from servery.storage.clock import utc_now, utc_text
from servery.storage.database import Database
from servery.storage.tables import jobs

_UNFINISHED = (State.QUEUED.value, State.RUNNING.value)


class JobStore:
    """The jobs of one house, for every process that serves it.

    Args:
        database: Where they are.
        lease_seconds: How long a process may be silent before its job is taken from it.
        retention: How long after its end a job is kept.
        most_per_key: Jobs of one key that may be unfinished.
    """

    def __init__(
        self, database: Database, lease_seconds: float, retention: timedelta, most_per_key: int
    ) -> None:
        self._database = database
        self._lease_seconds = lease_seconds
        self.retention = retention
        self._most_per_key = most_per_key

    def add(self, new: NewJob, token: str) -> tuple[Job, bool]:
        """Queue a job, unless the same request has made it already.

        Args:
            new: What is asked for; its rows lie in the folder of `token` and are durable.
            token: From `JobFiles.stage`.

        Returns:
            The job, and whether this call made it.

        Raises:
            ConflictError: The id or the idempotency key belongs to a job that asks for something else.
            QuotaError: The key has too many unfinished jobs.
        """
        row = self._row(new, token)
        with self._database.begin() as connection:
            known = _known(connection, new)
            if known is not None:
                return _same(known, new), False
            unfinished = connection.scalar(
                select(func.count())
                .select_from(jobs)
                .where(jobs.c.key_id == new.key_id, jobs.c.state.in_(_UNFINISHED))
            )
            if (unfinished or 0) >= self._most_per_key:
                error = QuotaError(
                    f"The key has {unfinished:,} jobs that are not over; that is the most.",
                    hint="Wait until some are over, or cancel them.",
                )
                error.retry_after_seconds = 60
                raise error
            connection.execute(insert(jobs).values(row))
        return Job.from_row(row), True

    def find(self, job_id: str, key_id: str, *, sees_all: bool = False) -> Job:
        """Return a job by its id.

        Args:
            job_id: The id.
            key_id: Who asks; its own job is meant before anyone else's of the same id.
            sees_all: Whether it may see the jobs of others.

        Raises:
            NotFoundError: There is none that it may see.
        """
        query = select(jobs).where(jobs.c.id == job_id).order_by(jobs.c.key_id != key_id, jobs.c.created_at)
        if not sees_all:
            query = query.where(jobs.c.key_id == key_id)
        with self._database.read() as connection:
            row = connection.execute(query.limit(1)).mappings().first()
        if row is None:
            raise NotFoundError(
                f"There is no job {job_id[:100]!r}.", hint="GET /v1/jobs lists yours.", param="job"
            )
        return Job.from_row(row)

    def by_token(self, token: str) -> Job | None:
        """Return the job of a token, or None when it was removed."""
        with self._database.read() as connection:
            row = connection.execute(select(jobs).where(jobs.c.token == token)).mappings().first()
        return None if row is None else Job.from_row(row)

    def list(self, key_id: str | None, limit: int, behind: tuple[str, str] | None = None) -> list[Job]:
        """Return jobs, the newest first.

        Args:
            key_id: Whose; None for everyone's.
            limit: How many at most.
            behind: Moment of making and token of the job before the first one.
        """
        query = select(jobs).order_by(jobs.c.created_at.desc(), jobs.c.token.desc()).limit(limit)
        if key_id is not None:
            query = query.where(jobs.c.key_id == key_id)
        if behind is not None:
            created_at, token = behind
            is_older = jobs.c.created_at < created_at
            is_beside = and_(jobs.c.created_at == created_at, jobs.c.token < token)
            query = query.where(or_(is_older, is_beside))
        with self._database.read() as connection:
            return [Job.from_row(row) for row in connection.execute(query).mappings()]

    def claim(self) -> Job | None:
        """Take a job that nobody runs: of the key with the fewest running ones, the oldest; None if there is none."""
        query = _claimable(utc_now())
        with self._database.read() as connection:
            if connection.execute(query).first() is None:
                return None
        with self._database.begin() as connection:
            # A server of PostgreSQL lets several ask at once; each gets another one.
            row = connection.execute(query.with_for_update(skip_locked=True)).mappings().first()
            if row is None:
                return None
            now = utc_now()
            is_first = row["started_at"] is None
            changed = self._change(
                connection,
                row,
                state=State.RUNNING.value,
                error=None,
                lease=secrets.token_hex(16),
                lease_until=self._until(),
                started_at=row["started_at"] or now,
                runs=row["runs"] + 1,
            )
            if is_first:
                self._tell(connection, changed, "job.started")
        return changed

    def renew(self, job: Job) -> bool:
        """Say that this process still works on a job; False when the job is no longer its own."""
        with self._database.begin() as connection:
            own = update(jobs).where(jobs.c.token == job.token, jobs.c.lease == job.lease)
            return connection.execute(own.values(lease_until=self._until())).rowcount == 1

    def advance(self, job: Job, progress: Progress) -> bool:
        """Note how far a run has come; False when the job is no longer its own."""
        values = {**dataclasses.asdict(progress), "lease_until": self._until()}
        return self._if_own(job, lambda c, row: self._change(c, row, **values)) is not None

    def finish(self, job: Job, state: State, error: ServeryError | None = None) -> Job | None:
        """End a run of one's own; None when the job is no longer its own."""
        values: dict[str, Any] = {"error": None if error is None else error_facts(error)}
        if state is State.SUCCEEDED:
            values["rows_total"] = jobs.c.rows_done
        return self._if_own(job, lambda c, row: self._end(c, row, state, **values))

    def put_back(self, job: Job, pause_seconds: float = 0.0, error: ServeryError | None = None) -> None:
        """Let another run go on with a job, at once or after a pause; `error` says what it waits for."""
        values = {
            "state": State.QUEUED.value,
            "lease": None,
            "lease_until": None,
            "run_after": utc_text(datetime.now(UTC) + timedelta(seconds=pause_seconds)),
            "error": None if error is None else error_facts(error),
        }
        self._if_own(job, lambda c, row: self._change(c, row, **values))

    def cancel(self, token: str) -> Job:
        """End a job that is not over; what it has answered is kept.

        Raises:
            NotFoundError: It was removed.
        """
        with self._database.begin() as connection:
            row = _locked(connection, token)
            if State(row["state"]).is_final:
                return Job.from_row(row)
            return self._end(connection, row, State.CANCELLED, error=None)

    def resume(self, token: str) -> Job:
        """Queue a failed or cancelled job again; it goes on where it stopped.

        Raises:
            NotFoundError: It was removed.
        """
        with self._database.begin() as connection:
            row = _locked(connection, token)
            if State(row["state"]) not in (State.FAILED, State.CANCELLED):
                return Job.from_row(row)
            values = {"state": State.QUEUED.value, "finished_at": None, "error": None, "deadline_at": None}
            return self._change(connection, row, run_after=utc_now(), **values)

    def remove(self, token: str) -> None:
        """Forget a job and the messages about it; whoever runs it notices."""
        with self._database.begin() as connection:
            forget_deliveries(connection, [token])
            connection.execute(delete(jobs).where(jobs.c.token == token))

    def expired(self) -> Sequence[str]:
        """Return the tokens of the jobs that have been over for longer than they are kept."""
        before = utc_text(datetime.now(UTC) - self.retention)
        with self._database.read() as connection:
            return connection.scalars(select(jobs.c.token).where(jobs.c.finished_at < before)).all()

    def tokens(self) -> set[str]:
        """Return the tokens of every job."""
        with self._database.read() as connection:
            return set(connection.scalars(select(jobs.c.token)))

    def _row(self, new: NewJob, token: str) -> dict[str, Any]:
        now = datetime.now(UTC)
        deadline = new.deadline_seconds
        return {
            "token": token,
            "key_id": new.key_id,
            "id": new.id,
            "idempotency_key": new.idempotency_key,
            "request_hash": new.request_hash(),
            "model": new.model,
            "task": new.task,
            "parameters": dict(new.parameters),
            "input_format": new.input_format,
            "id_column": new.id_column,
            "webhook": None if new.webhook is None else dataclasses.asdict(new.webhook),
            "state": State.QUEUED.value,
            "error": None,
            "created_at": utc_text(now),
            "started_at": None,
            "finished_at": None,
            "deadline_at": None if deadline is None else utc_text(now + timedelta(seconds=deadline)),
            "run_after": utc_text(now),
            "lease": None,
            "lease_until": None,
            "runs": 0,
            "change": 1,
            "rows_total": new.rows_total,
            "rows_done": 0,
            "rows_failed": 0,
            "output_bytes": 0,
            "units": 0,
            "compute_seconds": 0.0,
        }

    def _until(self) -> str:
        return utc_text(datetime.now(UTC) + timedelta(seconds=self._lease_seconds))

    def _if_own(self, job: Job, change: Callable[[Connection, RowMapping], Job]) -> Job | None:
        with self._database.begin() as connection:
            query = select(jobs).where(jobs.c.token == job.token, jobs.c.lease == job.lease).with_for_update()
            row = connection.execute(query).mappings().first()
            return None if row is None else change(connection, row)

    def _change(self, connection: Connection, row: RowMapping, **values: Any) -> Job:
        is_it = jobs.c.token == row["token"]
        connection.execute(update(jobs).where(is_it).values(change=row["change"] + 1, **values))
        return Job.from_row(connection.execute(select(jobs).where(is_it)).mappings().one())

    def _end(self, connection: Connection, row: RowMapping, state: State, **values: Any) -> Job:
        gone = {"state": state.value, "finished_at": utc_now(), "lease": None, "lease_until": None}
        job = self._change(connection, row, **gone, **values)
        self._tell(connection, job, f"job.{state.value}")
        return job

    def _tell(self, connection: Connection, job: Job, event: str) -> None:
        if job.webhook is not None and event in job.webhook.events:
            note_delivery(connection, job.token, event, job.told(self.retention))


def _claimable(now: str) -> Select[Any]:
    running = jobs.alias("running")
    of_its_key = (
        select(func.count())
        .where(running.c.key_id == jobs.c.key_id, running.c.state == State.RUNNING.value)
        .scalar_subquery()
    )
    is_waiting = and_(jobs.c.state == State.QUEUED.value, jobs.c.run_after <= now)
    is_left = and_(jobs.c.state == State.RUNNING.value, jobs.c.lease_until < now)
    return select(jobs).where(or_(is_waiting, is_left)).order_by(of_its_key, jobs.c.created_at).limit(1)


def _locked(connection: Connection, token: str) -> RowMapping:
    query = select(jobs).where(jobs.c.token == token).with_for_update()
    row = connection.execute(query).mappings().first()
    if row is None:
        raise NotFoundError("The job was removed.", param="job")
    return row


def _known(connection: Connection, new: NewJob) -> RowMapping | None:
    is_same = jobs.c.id == new.id
    if new.idempotency_key is not None:
        is_same = or_(is_same, jobs.c.idempotency_key == new.idempotency_key)
    query = select(jobs).where(jobs.c.key_id == new.key_id, is_same)
    return connection.execute(query.order_by(jobs.c.id != new.id)).mappings().first()


def _same(row: RowMapping, new: NewJob) -> Job:
    if row["request_hash"] != new.request_hash():
        word = f"The id {new.id!r}" if row["id"] == new.id else f"The Idempotency-Key {new.idempotency_key!r}"
        raise ConflictError(
            f"{word} belongs to a job that asks for something else.",
            hint="Send the same request again, or choose another one.",
            param="id" if row["id"] == new.id else "Idempotency-Key",
        )
    return Job.from_row(row)
