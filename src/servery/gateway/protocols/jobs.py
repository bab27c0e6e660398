"""Jobs: many rows answered in the background; made, watched, read, cancelled and removed by the key that made them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from time import monotonic
from typing import Any

import msgspec

from servery.errors import InputError, MalformedError, UnsupportedMediaError
from servery.gateway import sse
from servery.gateway.job_requests import JobRequest, PageQuery, ResultsQuery, UploadQuery
from servery.gateway.jobs import JobOrder, json_lines
from servery.gateway.limits import body_parts
from servery.gateway.message import Request, Response
from servery.gateway.permission import Permission
from servery.gateway.prediction import UNTOLD, content_type_of
from servery.gateway.route import Handler, Route
from servery.gateway.strict_json import converted, decoded
from servery.registry.keys import ADMIN_SCOPE
from servery.schemas import JobList, JobObject, WebhookRequest
from servery.serving.jobs.job import Job
from servery.tasks.answer_files import CONTENT_TYPES, AnswerTable, read_lines
from servery.tasks.task import find_task

UPLOADS = {
    "text/csv": "csv",
    "text/tab-separated-values": "csv",
    "application/x-ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
}
"""Content type of a file of rows to its format."""
WATCH_SECONDS = 0.25
HEARTBEAT_SECONDS = 10.0


async def make_job(request: Request) -> Response:
    """Queue a job, from JSON or from a file of rows as the body."""
    own_id = request.parameters.get("job")
    content_type = content_type_of(request)
    if content_type in UPLOADS:
        return await _make_from_file(request, UPLOADS[content_type], own_id)
    if content_type != "application/json" and content_type not in UNTOLD:
        raise UnsupportedMediaError(
            f"A body of type {content_type[:100]!r} holds no rows that can be read.",
            hint=f"application/json, {', '.join(UPLOADS)}",
            param="Content-Type",
        )
    asked: JobRequest = await request.json(JobRequest)
    if own_id is not None and asked.id not in (None, own_id):
        raise InputError(f"The body's id is {asked.id!r}, the path's {own_id!r}.", param="/id")
    given = asked.input
    values = asked.inputs if given is None else given.rows
    content = None if given is None else given.content
    if sum(found is not None for found in (asked.inputs, given and given.rows, content)) != 1:
        raise InputError(
            'A job needs exactly one of "inputs", "input.rows" and "input.content".', param="/inputs"
        )
    order = JobOrder(
        asked.model,
        "jsonl" if given is None or content is None else given.format,
        asked.parameters,
        own_id or asked.id,
        asked.id_column,
        asked.webhook,
        asked.deadline_seconds,
        None if values is None else len(values),
    )
    rows = json_lines(values) if values is not None else _whole(content or "")
    return await request.gateway.jobs.make(request, order, rows)


async def put_job(request: Request) -> Response:
    """Queue a job under an id of its owner's choice."""
    return await make_job(request)


async def list_jobs(request: Request) -> Response:
    """Answer the key's jobs, or everyone's to an administrator, the newest first."""
    asked: PageQuery = request.query(PageQuery)
    assert request.key is not None
    store = request.gateway.jobs.store
    whose = None if _sees_all(request) else request.key.id
    behind = _behind(asked.cursor) if asked.cursor else None
    jobs = await asyncio.to_thread(store.list, whose, asked.limit, behind)
    is_full = len(jobs) == asked.limit
    cursor = f"{jobs[-1].created_at}~{jobs[-1].token}" if is_full else None
    return Response.json(JobList([job.told(store.retention) for job in jobs], cursor))


async def show_job(request: Request) -> Response:
    """Answer one job."""
    return _told(request, await _job(request))


async def cancel_job(request: Request) -> Response:
    """End a job that is not over; what it has answered can still be read."""
    job = await _job(request)
    return _told(request, await asyncio.to_thread(request.gateway.jobs.store.cancel, job.token))


async def resume_job(request: Request) -> Response:
    """Queue a failed or cancelled job again; it goes on where it stopped."""
    job = await _job(request)
    resumed = await asyncio.to_thread(request.gateway.jobs.store.resume, job.token)
    request.gateway.jobs.runner.wake()
    return _told(request, resumed)


async def remove_job(request: Request) -> Response:
    """Remove a job with its input and its results; one that runs is ended."""
    job = await _job(request)
    jobs = request.gateway.jobs
    await asyncio.to_thread(jobs.store.remove, job.token)
    await asyncio.to_thread(jobs.files.remove, job.token)
    return _told(request, job)


async def read_results(request: Request) -> Response:
    """Answer a page of results; where the next one begins stands in X-Next-Cursor, until there is none."""
    asked: ResultsQuery = request.query(ResultsQuery)
    job = await _job(request)
    answer_format = asked.format or _accepted(request.header("accept") or "")
    body, cursor = await asyncio.to_thread(_page, request, job, asked, answer_format)
    headers = [(b"x-job-state", job.state.value.encode())]
    if cursor is not None:
        headers.append((b"x-next-cursor", str(cursor).encode()))
    return Response(body=body, content_type=CONTENT_TYPES[answer_format], headers=headers)


async def watch_job(request: Request) -> Response:
    """Answer what happens to a job as server-sent events: status, progress, completed.

    Each carries the whole job. A reader that comes back with Last-Event-ID hears only what is new to it.
    """
    job = await _job(request)
    last = request.header("last-event-id") or ""
    heard = int(last) if last.isascii() and last.isdigit() and len(last) < 16 else 0
    if job.state.is_final and heard >= job.change:
        return Response(status=204)  # which tells a browser's reader to come no more
    if request.scope["method"] == "HEAD":
        return Response(content_type=sse.CONTENT_TYPE)
    return Response(content_type=sse.CONTENT_TYPE, headers=sse.HEADERS, stream=_events(request, job, heard))


async def _events(request: Request, job: Job, heard: int) -> AsyncGenerator[bytes]:
    store = request.gateway.jobs.store
    state, told_at = None, monotonic()
    while not request.gateway.is_draining:
        if job.change > heard:
            name = "completed" if job.state.is_final else "progress" if job.state is state else "status"
            yield sse.event(msgspec.json.encode(job.told(store.retention)), name, str(job.change))
            heard, state, told_at = job.change, job.state, monotonic()
        elif monotonic() - told_at > HEARTBEAT_SECONDS:
            yield sse.HEARTBEAT
            told_at = monotonic()
        if job.state.is_final:
            return
        await asyncio.sleep(WATCH_SECONDS)
        found = await asyncio.to_thread(store.by_token, job.token)
        if found is None:
            return
        job = found


async def _make_from_file(request: Request, input_format: str, own_id: str | None) -> Response:
    asked: UploadQuery = request.query(UploadQuery)
    if not asked.model:
        raise InputError("The query names no model.", hint="POST /v1/jobs?model=NAME", param="model")
    if own_id is not None and asked.id not in (None, own_id):
        raise InputError(f"The query's id is {asked.id!r}, the path's {own_id!r}.", param="id")
    request.check_model(asked.model)  # before a large body is taken
    parameters = decoded(asked.parameters.encode()) if asked.parameters else {}
    events = [word.strip() for word in asked.webhook_events.split(",") if word.strip()]
    webhook = {"url": asked.webhook_url, "events": events}
    order = JobOrder(
        asked.model,
        input_format,
        converted(parameters, dict[str, Any], "/parameters"),
        own_id or asked.id,
        asked.id_column,
        converted(webhook, WebhookRequest, "/webhook") if asked.webhook_url else None,
        asked.deadline_seconds,
    )
    settings = request.gateway.settings
    rows = body_parts(
        request.receive, request.headers, settings.max_upload_bytes, settings.body_timeout_seconds
    )
    return await request.gateway.jobs.make(request, order, rows)


async def _whole(content: str) -> AsyncGenerator[bytes]:
    yield content.encode()


async def _job(request: Request) -> Job:
    assert request.key is not None
    store = request.gateway.jobs.store
    return await asyncio.to_thread(
        store.find, request.parameters["job"], request.key.id, sees_all=_sees_all(request)
    )


def _sees_all(request: Request) -> bool:
    return request.key is not None and ADMIN_SCOPE in request.key.scopes


def _told(request: Request, job: Job) -> Response:
    return Response.json(job.told(request.gateway.jobs.store.retention))


def _behind(cursor: str) -> tuple[str, str]:
    created_at, sign, token = cursor.partition("~")
    if not sign:
        raise MalformedError(f"The cursor {cursor!r} is none that a page gave.", param="cursor")
    return created_at, token


def _page(request: Request, job: Job, asked: ResultsQuery, answer_format: str) -> tuple[bytes, int | None]:
    files = request.gateway.jobs.files
    lines, place = files.page(job.token, job.output_bytes, asked.cursor, asked.limit)
    is_all = job.state.is_final and place >= job.output_bytes
    cursor = None if is_all else place
    if answer_format == "jsonl":
        return b"".join(lines), cursor
    table = AnswerTable(find_task(job.task).answer)
    records = read_lines(lines)
    if answer_format == "parquet":
        return table.parquet(records), cursor
    return table.csv(records, has_header=asked.cursor == 0), cursor


def _accepted(accept: str) -> str:
    """Return the first format that a client names, JSON lines if none."""
    for kind in accept.lower().split(","):
        for name, content_type in CONTENT_TYPES.items():
            if kind.partition(";")[0].strip() == content_type:
                return name
    return "jsonl"


EXAMPLE = {"model": "reviews", "inputs": ["The staff were friendly.", "Never again."]}


def _route(method: str, path: str, handler: Handler, summary: str, **more: Any) -> Route:
    return Route(
        method,
        f"/v1/jobs{path}",
        Permission.PREDICT,
        handler,
        summary,
        tags=("jobs",),
        names_model_in_body=True,
        **{"response": JobObject, **more},
    )


ROUTES = (
    _route(
        "POST",
        "",
        make_job,
        "Make a job: the rows in JSON, or a csv, JSON lines or parquet file as the body",
        request=JobRequest,
        statuses=(202, 200),
        query=UploadQuery,
        example=EXAMPLE,
    ),
    _route("GET", "", list_jobs, "List the key's jobs", query=PageQuery, response=JobList),
    _route(
        "PUT",
        "/{job}",
        put_job,
        "Make a job under an id of your own; the same again changes nothing",
        request=JobRequest,
        statuses=(202, 200),
        query=UploadQuery,
        example=EXAMPLE,
    ),
    _route("GET", "/{job}", show_job, "Show a job"),
    _route("DELETE", "/{job}", remove_job, "Remove a job with its results; one that runs is ended"),
    _route("POST", "/{job}/cancel", cancel_job, "End a job; what it has answered is kept"),
    _route("POST", "/{job}/resume", resume_job, "Go on with a failed or cancelled job"),
    _route(
        "GET",
        "/{job}/events",
        watch_job,
        "Watch a job: status, progress, completed",
        statuses=(200, 204),
        response=None,
        content_type="text/event-stream",
    ),
    _route(
        "GET",
        "/{job}/results",
        read_results,
        "Read a page of a job's results, as JSON lines, csv or parquet",
        query=ResultsQuery,
        response=None,
        content_type="application/x-ndjson",
    ),
)
