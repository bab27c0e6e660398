"""A job: which model answers which rows, how far it is, and who is told of it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import RowMapping

from servery.errors import ServeryError
from servery.schemas import JobError, JobObject, JobWebhook
from servery.storage.clock import utc_text
from servery.tasks.task import find_task


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing happens any more, unless someone resumes it."""
        return self in (State.SUCCEEDED, State.FAILED, State.CANCELLED)


EVENTS = ("job.started", "job.succeeded", "job.failed", "job.cancelled")
"""What a webhook can be told."""


@dataclass(frozen=True)
class Webhook:
    """Who is told of a job.

    Attributes:
        url: Takes the messages.
        events: Those of `EVENTS` it wants.
        secret: Signs them.
    """

    url: str
    events: tuple[str, ...]
    secret: str

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Webhook:
        """Rebuild it from how it is stored."""
        return cls(value["url"], tuple(value["events"]), value["secret"])

    def told(self, with_secret: bool) -> JobWebhook:
        """Return it as everyone sees it."""
        return JobWebhook(self.url, list(self.events), self.secret if with_secret else None)


@dataclass(frozen=True)
class NewJob:
    """What its owner asks for.

    Attributes:
        id: Unique among the jobs of one key.
        key_id: Whose it is.
        asked: The model as it was named, "reviews" or "reviews@3".
        model: The version that this meant, "reviews@3".
        task: The version's task.
        parameters: What is asked of every prediction.
        input_format: "jsonl", "csv" or "parquet".
        input_digest: sha256 of the rows as they came.
        id_column: The column that tells rows apart; empty takes "id" where there is one.
        rows_total: How many rows there are; None where only reading tells.
        webhook: Who is told.
        idempotency_key: The owner's own word for this request, if there is one.
        deadline_seconds: From the making of the job; None for none.
    """

    id: str
    key_id: str
    asked: str
    model: str
    task: str
    parameters: Mapping[str, Any]
    input_format: str
    input_digest: str
    id_column: str = ""
    rows_total: int | None = None
    webhook: Webhook | None = None
    idempotency_key: str | None = None
    deadline_seconds: float | None = None
    own_secret: bool = False
    """Whether the webhook's secret was given by the owner, and so is part of what was asked."""

    def request_hash(self) -> str:
        """Return what two requests that ask for the same have in common."""
        webhook = None if self.webhook is None else dataclasses.asdict(self.webhook)
        if webhook is not None and not self.own_secret:
            del webhook["secret"]
        asked = [
            *(self.asked, dict(self.parameters), self.input_format, self.input_digest),
            *(self.id_column, webhook, self.deadline_seconds),
        ]
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Job:
    """A job as it is stored.

    Attributes:
        token: Names its folder and its messages; known to the server only.
        state: Where it stands.
        lease: Of the process that runs it; whatever that process writes must carry it.
        runs: How often it was begun, each time where the one before had come to.
        change: Counts up with everything a watcher should hear of.
        output_bytes: Length of its results that counts.
        error: Why it failed; of a queued job what it waits for.

    The rest is as in `NewJob` and `schemas.JobObject`.
    """

    token: str
    key_id: str
    id: str
    request_hash: str
    model: str
    task: str
    parameters: Mapping[str, Any]
    input_format: str
    id_column: str
    webhook: Webhook | None
    state: State
    error: Mapping[str, Any] | None
    created_at: str
    started_at: str | None
    finished_at: str | None
    deadline_at: str | None
    run_after: str
    lease: str | None
    runs: int
    change: int
    rows_total: int | None
    rows_done: int
    rows_failed: int
    output_bytes: int
    units: int
    compute_seconds: float

    @classmethod
    def from_row(cls, row: Mapping[str, Any] | RowMapping) -> Job:
        """Make it from its row in the database."""
        values = {field.name: row[field.name] for field in dataclasses.fields(cls)}
        values["state"] = State(row["state"])
        values["webhook"] = None if row["webhook"] is None else Webhook.from_dict(row["webhook"])
        return cls(**values)

    def told(self, retention: timedelta, *, with_secret: bool = False) -> JobObject:
        """Return the job as everyone sees it.

        Args:
            retention: How long after its end it is kept.
            with_secret: Whether the webhook's secret is shown, which is once.
        """
        ended = None if self.finished_at is None else datetime.fromisoformat(self.finished_at)
        return JobObject(
            id=self.id,
            object="job",
            model=self.model,
            state=self.state.value,
            key=self.key_id,
            input_format=self.input_format,
            created_at=self.created_at,
            started_at=self.started_at,
            finished_at=self.finished_at,
            expires_at=None if ended is None else utc_text(ended + retention),
            deadline_at=self.deadline_at,
            rows_total=self.rows_total,
            rows_done=self.rows_done,
            rows_failed=self.rows_failed,
            usage={
                find_task(self.task).unit: float(self.units),
                "compute_seconds": round(self.compute_seconds, 6),
            },
            error=None if self.error is None else JobError(**self.error),
            webhook=None if self.webhook is None else self.webhook.told(with_secret),
        )


@dataclass(frozen=True)
class Progress:
    """How far a run has come, all of it durable.

    Attributes:
        rows_done: Rows from the start of the input whose results are kept.
        rows_failed: Those of them with an error in the place of an answer.
        output_bytes: Length of the results.
        units: What they cost in the task's own unit.
        compute_seconds: Likewise.
    """

    rows_done: int
    rows_failed: int
    output_bytes: int
    units: int
    compute_seconds: float


def error_facts(error: ServeryError) -> dict[str, Any]:
    """Return what is stored of an error."""
    return {"code": error.code, "message": error.message, "hint": error.hint}
