"""The jobs of one server: made from what a request asks for, run and told of in the background."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from servery.data.row_files import open_rows
from servery.errors import EmptyDataError, InputError
from servery.gateway.job_accounts import JobAccounts
from servery.gateway.ledger import Ledger
from servery.gateway.message import Request, Response
from servery.gateway.outgoing import checked_url
from servery.gateway.prediction import Asked, content_type_of
from servery.gateway.strict_json import converted
from servery.gateway.webhooks import WebhookSender, checked_secret, new_secret
from servery.registry.keys import Keys
from servery.schemas import WebhookRequest
from servery.serving.engine import Engine
from servery.serving.jobs.deliveries import Deliveries
from servery.serving.jobs.files import JobFiles
from servery.serving.jobs.job import EVENTS, Job, NewJob, Webhook
from servery.serving.jobs.runner import JobRunner
from servery.serving.jobs.store import JobStore
from servery.serving.replica import Replica
from servery.settings import Settings
from servery.storage.files import sync_folder, writing
from servery.tasks.task import find_task

LONGEST_IDEMPOTENCY_KEY = 256
WRITE_BYTES = 2**20
"""How much of an upload is gathered before it is written."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True)
class JobOrder:
    """What a request asks for, without the rows.

    Attributes:
        model: As it was named.
        input_format: "jsonl", "csv" or "parquet".
        id: Chosen by the owner; None to have one made.
        rows_total: How many rows there are, where that is known.
    """

    model: str
    input_format: str
    parameters: dict[str, Any] = field(default_factory=dict)
    id: str | None = None
    id_column: str = ""
    webhook: WebhookRequest | None = None
    deadline_seconds: float | None = None
    rows_total: int | None = None


class Jobs:
    """The jobs of one server.

    Attributes:
        store: The queue.
        files: Their rows and results.
        runner: Runs them.
    """

    def __init__(self, settings: Settings, engine: Engine, keys: Keys, ledger: Ledger) -> None:
        self._settings = settings
        self._engine = engine
        self.store = JobStore(
            keys.database,
            settings.job_lease_seconds,
            timedelta(days=settings.job_retention_days),
            settings.max_jobs_per_key,
        )
        self.files = JobFiles(settings.jobs)
        accounts = JobAccounts(keys, ledger)
        engine.on_change(accounts.forget)
        self.runner = JobRunner(engine, self.store, self.files, accounts, settings)
        self._sender = WebhookSender(Deliveries(keys.database, settings.webhook_retry_seconds), settings)

    async def start(self) -> None:
        """Begin to run jobs and to tell of them."""
        await self.runner.start()
        await self._sender.start()

    async def stop(self) -> None:
        """Put back what runs here."""
        await self.runner.stop()
        await self._sender.stop()

    async def make(self, request: Request, order: JobOrder, rows: AsyncIterable[bytes]) -> Response:
        """Queue a job and answer it; the same request again answers the same job.

        Args:
            request: Who asks.
            order: What for.
            rows: The input, in parts.

        Raises:
            ServeryError: It cannot be: no such model, wrong parameters, too large, the id is taken ...
        """
        assert request.key is not None
        request.check_model(order.model)
        version = await self._engine.version(order.model)
        parameters = converted(order.parameters, find_task(version.task).parameters, "/parameters")
        webhook = self._webhook(order.webhook)
        new = NewJob(
            id=_checked_id(order.id) if order.id is not None else f"job-{secrets.token_hex(12)}",
            key_id=request.key.id,
            asked=order.model,
            model=version.reference,
            task=version.task,
            parameters=msgspec.to_builtins(parameters),
            input_format=order.input_format,
            input_digest="",
            id_column=order.id_column,
            rows_total=order.rows_total,
            webhook=webhook,
            own_secret=order.webhook is not None and order.webhook.secret is not None,
            idempotency_key=_idempotency_key(request),
            deadline_seconds=order.deadline_seconds,
        )
        job, is_new = await self._add(new, rows)
        if is_new:
            self.runner.wake()
        told = job.told(self.store.retention, with_secret=is_new)
        headers = [(b"location", f"/v1/jobs/{job.id}".encode())]
        return Response.json(told, status=202 if is_new else 200, headers=headers)

    async def _add(self, new: NewJob, rows: AsyncIterable[bytes]) -> tuple[Job, bool]:
        token = await asyncio.to_thread(self.files.stage)
        is_new = False
        try:
            path = self.files.input(token, new.input_format)
            digest = await _write(path, rows)
            total = await asyncio.to_thread(_count, path, new.input_format)
            whole = replace(new, input_digest=digest, rows_total=new.rows_total or total)
            job, is_new = await asyncio.to_thread(self.store.add, whole, token)
        finally:
            if not is_new:
                await asyncio.to_thread(self.files.remove, token)
        return job, is_new

    def _webhook(self, asked: WebhookRequest | None) -> Webhook | None:
        if asked is None:
            return None
        checked_url(asked.url, allow_private=self._settings.webhook_allow_private)
        unknown = [event for event in asked.events if event not in EVENTS]
        if unknown:
            raise InputError(
                f"There is no event {unknown[0]!r}. Known: {', '.join(EVENTS)}.", param="/webhook/events"
            )
        secret = new_secret() if asked.secret is None else checked_secret(asked.secret)
        return Webhook(asked.url, tuple(dict.fromkeys(asked.events)) or EVENTS[1:], secret)


def prefers_async(request: Request) -> bool:
    """Return whether a client would rather have a job than wait (RFC 7240, section 4.1)."""
    preferences = (request.header("prefer") or "").lower().replace(";", ",").split(",")
    return any(preference.strip() == "respond-async" for preference in preferences)


async def respond_async(request: Request, read: Callable[[bytes, str, Replica], Asked]) -> Response:
    """Make a job of a prediction for the model in the path, and answer 202 with its place.

    Args:
        request: With the body of a prediction.
        read: Reads that body, as the protocol defines it.

    Raises:
        InputError: It is not what the model takes.
    """
    reference = request.parameters["model"]
    body = await request.body()
    replica = await request.gateway.engine.replica(reference)
    with replica.lease():
        asked = await asyncio.to_thread(read, body, content_type_of(request), replica)
        columns = replica.predictor.signature.inputs
        values = [replica.form.to_json(example, columns) for example in asked.examples]
    order = JobOrder(
        reference, "jsonl", msgspec.to_builtins(asked.parameters), rows_total=len(asked.examples)
    )
    response = await request.gateway.jobs.make(request, order, json_lines(values))
    response.status = 202
    response.headers.append((b"preference-applied", b"respond-async"))
    return response


async def json_lines(values: Sequence[Any]) -> AsyncGenerator[bytes]:
    """Yield values as lines of JSON, in parts."""
    encoder = msgspec.json.Encoder()
    for start in range(0, len(values), 1000):
        yield encoder.encode_lines(values[start : start + 1000])


async def _write(path: Path, rows: AsyncIterable[bytes]) -> str:
    """Write an input, durably, and return its sha256."""
    digest = hashlib.sha256()
    waiting: list[bytes] = []

    def write() -> None:
        with writing(path):
            data = b"".join(waiting)
            digest.update(data)
            file.write(data)
        waiting.clear()

    def finish() -> None:
        with writing(path):
            file.flush()
            os.fsync(file.fileno())
            sync_folder(path.parent)

    with writing(path), path.open("xb") as file:
        size = 0
        async for part in rows:
            waiting.append(part)
            size += len(part)
            if size >= WRITE_BYTES:
                await asyncio.to_thread(write)
                size = 0
        await asyncio.to_thread(write)
        await asyncio.to_thread(finish)
    return digest.hexdigest()


def _count(path: Path, input_format: str) -> int | None:
    """Return how many rows an input has, where that is told at its head; refuse one that has none."""
    file = open_rows(path, input_format)
    if next(file.rows, None) is None:
        raise EmptyDataError("The input has no row.", param="input")
    return file.count


def _checked_id(text: str) -> str:
    if not _ID.fullmatch(text):
        raise InputError(
            f"The id {text[:100]!r} may have letters, digits, '.', '_' and '-', at most 128, "
            "and begins with a letter or digit.",
            param="id",
        )
    return text


def _idempotency_key(request: Request) -> str | None:
    found = request.header("idempotency-key")
    if found is not None and not (found.isprintable() and 1 <= len(found) <= LONGEST_IDEMPOTENCY_KEY):
        raise InputError(
            f"The Idempotency-Key must have from 1 to {LONGEST_IDEMPOTENCY_KEY} printable characters.",
            param="Idempotency-Key",
        )
    return found
