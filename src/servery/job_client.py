"""The SDK's jobs: many rows answered in the background; the same methods sync and async."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import httpx
import msgspec

from servery.call import Call
from servery.errors import DeadlineError, InputError, ServeryError
from servery.schemas import JobList, JobObject

FILE_TYPES = {
    ".csv": "text/csv",
    ".tsv": "text/csv",
    ".txt": "text/csv",
    ".jsonl": "application/x-ndjson",
    ".ndjson": "application/x-ndjson",
    ".parquet": "application/vnd.apache.parquet",
}
"""Ending of a file of rows to its content type."""
FINAL_STATES = ("succeeded", "failed", "cancelled")
FIRST_PAUSE_SECONDS = 0.05
LONGEST_PAUSE_SECONDS = 1.0
PAGE_ROWS = 1000

Message = TypeVar("Message")
Rows = list[dict[str, Any]]
Page = tuple[Rows, str | None]
"""Some results, and the cursor of those behind them; None when there will be no more."""


class Jobs:
    """`Client.jobs`: makes, watches and reads jobs.

    Args:
        send: Sends a call and returns its good answer.
    """

    def __init__(self, send: Callable[[Call], httpx.Response]) -> None:
        self._send = send

    def create(
        self,
        model: str,
        inputs: Sequence[Any] | None = None,
        *,
        file: Path | str | None = None,
        parameters: Mapping[str, Any] | None = None,
        id: str | None = None,
        id_column: str = "",
        webhook: Mapping[str, Any] | None = None,
        deadline_seconds: float | None = None,
        idempotency_key: str | None = None,
    ) -> JobObject:
        """Make a job; it runs in the background.

        Args:
            model: "name", "name@3" or "name@alias"; the version it means now answers all rows.
            inputs: One a row, each as in `predict`; or else `file`.
            file: A csv, tsv, jsonl or parquet file of rows.
            parameters: What the task allows to ask, the same for every row.
            id: Your own name for it; making it again with the same content changes nothing.
            id_column: The column that tells rows apart; "id" where there is one.
            webhook: Who is told: `url`, and if you like `events` and `secret`.
            deadline_seconds: After this long what is not done stays undone.
            idempotency_key: Your own word for this call: sent twice, it makes one job.

        Returns:
            The job; its webhook's secret is in this answer only.

        Raises:
            ConflictError: The id or the idempotency key belongs to a job that asks for something else.
            InputError: The job cannot be made so.
        """
        more = {
            "id": id,
            "id_column": id_column,
            "parameters": dict(parameters or {}),
            "webhook": None if webhook is None else dict(webhook),
            "deadline_seconds": deadline_seconds,
        }
        return _read(self._send(_creation(model, inputs, file, more, idempotency_key)), JobObject)

    def get(self, job: str) -> JobObject:
        """Return a job as it is now.

        Raises:
            NotFoundError: The key has no job of that id.
        """
        return _read(self._send(_of(job)), JobObject)

    def list(self, limit: int = 100) -> list[JobObject]:
        """Return the key's newest jobs, at most 1,000; everyone's with an administrator's key."""
        return _read(self._send(Call("GET", f"/v1/jobs?limit={limit}")), JobList).data

    def results(self, job: str) -> Iterator[dict[str, Any]]:
        """Yield what came of every row, in order, until the job is over: `line`, `id`, and `answer` or `error`."""
        for page in self.pages(job):
            yield from page

    def pages(self, job: str, limit: int = PAGE_ROWS) -> Iterator[Rows]:
        """Yield the results page by page as they come; see `results`.

        Raises:
            ServeryError: The job failed, or was cancelled; its results until then were yielded before.
        """
        cursor: str | None = "0"
        pause = FIRST_PAUSE_SECONDS
        while cursor is not None:
            rows, cursor = _page(self._send(_results(job, cursor, limit)))
            if rows:
                yield rows
                pause = FIRST_PAUSE_SECONDS
            elif cursor is not None:
                time.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        _check(self.get(job))

    def watch(self, job: str) -> Iterator[JobObject]:
        """Yield the job now, and again whenever it has changed, until it is over."""
        seen, pause = None, FIRST_PAUSE_SECONDS
        while True:
            now = self.get(job)
            if now != seen:
                yield now
                pause = FIRST_PAUSE_SECONDS
            if now.state in FINAL_STATES:
                return
            seen = now
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def wait(self, job: str, timeout_seconds: float | None = None) -> JobObject:
        """Return the job when it is over, however it ended.

        Raises:
            DeadlineError: It is not over after `timeout_seconds`.
        """
        until = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        pause = FIRST_PAUSE_SECONDS
        while (found := self.get(job)).state not in FINAL_STATES:
            _check_time(until, found)
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        return found

    def cancel(self, job: str) -> JobObject:
        """End a job that is not over; what it has answered is kept."""
        return _read(self._send(_of(job, "POST", "/cancel")), JobObject)

    def resume(self, job: str) -> JobObject:
        """Go on with a failed or cancelled job."""
        return _read(self._send(_of(job, "POST", "/resume")), JobObject)

    def remove(self, job: str) -> JobObject:
        """Remove a job with its results; one that runs is ended."""
        return _read(self._send(_of(job, "DELETE")), JobObject)


class AsyncJobs:
    """`AsyncClient.jobs`: the arguments and methods are those of `Jobs`, awaited.

    Args:
        send: Sends a call and returns its good answer.
    """

    def __init__(self, send: Callable[[Call], Awaitable[httpx.Response]]) -> None:
        self._send = send

    async def create(
        self,
        model: str,
        inputs: Sequence[Any] | None = None,
        *,
        file: Path | str | None = None,
        idempotency_key: str | None = None,
        **more: Any,
    ) -> JobObject:
        """Make a job; see `Jobs.create`."""
        return _read(await self._send(_creation(model, inputs, file, more, idempotency_key)), JobObject)

    async def get(self, job: str) -> JobObject:
        """Return a job as it is now; see `Jobs.get`."""
        return _read(await self._send(_of(job)), JobObject)

    async def list(self, limit: int = 100) -> list[JobObject]:
        """Return the key's newest jobs; see `Jobs.list`."""
        return _read(await self._send(Call("GET", f"/v1/jobs?limit={limit}")), JobList).data

    async def results(self, job: str) -> AsyncIterator[dict[str, Any]]:
        """Yield what came of every row; see `Jobs.results`."""
        cursor: str | None = "0"
        pause = FIRST_PAUSE_SECONDS
        while cursor is not None:
            rows, cursor = _page(await self._send(_results(job, cursor, PAGE_ROWS)))
            for row in rows:
                yield row
            pause = FIRST_PAUSE_SECONDS if rows else min(pause * 2, LONGEST_PAUSE_SECONDS)
            if not rows and cursor is not None:
                await asyncio.sleep(pause)
        _check(await self.get(job))

    async def wait(self, job: str, timeout_seconds: float | None = None) -> JobObject:
        """Return the job when it is over; see `Jobs.wait`."""
        until = None if timeout_seconds is None else time.monotonic() + timeout_seconds
        pause = FIRST_PAUSE_SECONDS
        while (found := await self.get(job)).state not in FINAL_STATES:
            _check_time(until, found)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        return found

    async def cancel(self, job: str) -> JobObject:
        """End a job that is not over; see `Jobs.cancel`."""
        return _read(await self._send(_of(job, "POST", "/cancel")), JobObject)

    async def resume(self, job: str) -> JobObject:
        """Go on with a failed or cancelled job; see `Jobs.resume`."""
        return _read(await self._send(_of(job, "POST", "/resume")), JobObject)

    async def remove(self, job: str) -> JobObject:
        """Remove a job with its results; see `Jobs.remove`."""
        return _read(await self._send(_of(job, "DELETE")), JobObject)


def _creation(
    model: str,
    inputs: Sequence[Any] | None,
    file: Path | str | None,
    more: Mapping[str, Any],
    idempotency_key: str | None,
) -> Call:
    if (inputs is None) == (file is None):
        raise InputError("A job needs either inputs or a file.", param="inputs")
    headers = {} if idempotency_key is None else {"idempotency-key": idempotency_key}
    wanted = {name: value for name, value in more.items() if value not in (None, "", {})}
    if file is not None:
        return _upload(model, Path(file), wanted, headers)
    body = {"model": model, "inputs": list(inputs or ()), **wanted}
    try:
        content = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise InputError(f"The inputs cannot be sent: {error}.", param="inputs") from error
    return Call("POST", "/v1/jobs", content, headers=headers)


def _upload(model: str, file: Path, wanted: dict[str, Any], headers: dict[str, str]) -> Call:
    endings = [ending for ending in file.suffixes if ending.lower() != ".gz"]
    content_type = FILE_TYPES.get(endings[-1].lower()) if endings else None
    if content_type is None:
        raise InputError(
            f"{file.name} is of no format that can be sent.",
            hint=f"use {', '.join(FILE_TYPES)}",
            param="file",
        )
    webhook = wanted.pop("webhook", {})
    if webhook.get("secret"):
        raise InputError("With a file the webhook's secret is made by the server.", param="webhook")
    query = {"model": model, **wanted}
    if "parameters" in query:
        query["parameters"] = json.dumps(query["parameters"], allow_nan=False)
    if webhook:
        query["webhook_url"] = webhook["url"]
        query["webhook_events"] = ",".join(webhook.get("events") or ())
    return Call("POST", f"/v1/jobs?{urlencode(query)}", file, content_type, headers)


def _of(job: str, method: str = "GET", rest: str = "") -> Call:
    return Call(method, f"/v1/jobs/{quote(job, safe='')}{rest}")


def _results(job: str, cursor: str, limit: int) -> Call:
    return _of(job, rest=f"/results?format=jsonl&limit={limit}&cursor={cursor}")


def _page(response: httpx.Response) -> Page:
    rows = [json.loads(line) for line in response.content.splitlines()]
    return rows, response.headers.get("x-next-cursor")


def _check(job: JobObject) -> None:
    if job.state == "failed" and job.error is not None:
        raise ServeryError(
            f"The job {job.id} failed after {job.rows_done:,} rows: {job.error.message}", hint=job.error.hint
        )
    if job.state != "succeeded":
        raise ServeryError(f"The job {job.id} was {job.state} after {job.rows_done:,} rows.")


def _check_time(until: float | None, job: JobObject) -> None:
    if until is not None and time.monotonic() > until:
        raise DeadlineError(f"The job {job.id} is still {job.state}, {job.rows_done:,} rows done.")


def _read(response: httpx.Response, message: type[Message]) -> Message:
    try:
        return msgspec.json.decode(response.content, type=message)
    except msgspec.DecodeError as error:
        raise ServeryError(f"The server's answer cannot be read: {error}.") from error
