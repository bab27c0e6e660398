"""The messages between server and client; the only thing the two share besides the errors."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, Any

import msgspec
from msgspec import Meta

VERSION = version("servery")
"""Of the installed package; the face `servery` has it too, but imports what the rooms here must not."""

NAME_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,127}$"
"""What a model or an alias may be called."""

REFERENCE_PATTERN = r"^[a-z0-9][a-z0-9._-]{0,127}(@[a-z0-9][a-z0-9._-]{0,127})?$"
"""A model id on the wire: `name`, `name@3` or `name@alias`."""

Text = Annotated[str, Meta(max_length=1024)]
Name = Annotated[str, Meta(max_length=128, pattern=NAME_PATTERN)]
Reference = Annotated[str, Meta(max_length=257)]
Number = Annotated[int, Meta(ge=0, le=2**53)]
Amount = Annotated[float, Meta(ge=0, le=1e300)]
Names = Annotated[list[Text], Meta(max_length=10_000)]
Moment = Annotated[str, Meta(max_length=40)]
LimitName = Annotated[str, Meta(max_length=64)]
Limit = Annotated[int, Meta(ge=0, le=10**15)] | Annotated[float, Meta(ge=0, le=1e15)]
Limits = Annotated[dict[LimitName, Limit], Meta(max_length=32)]
"""Name to number, e.g. {"rows_per_minute": 600, "requests_per_day": 10000, "weight": 2.0}."""


class Notice(msgspec.Struct, frozen=True):
    """Something a caller should know about an answer, e.g. that its model learned from sample data."""

    code: Text
    message: Text


class PredictResponse(msgspec.Struct):
    """The answers, one an input, in the order of the inputs.

    Attributes:
        id: Id of the request.
        model: The version that answered, "name@3".
        task: The Hub's name of the task.
        outputs: One answer an input, also when one input was sent.
        usage: The model's own unit (e.g. "rows") to how many, and "compute_seconds".
        warnings: What to know about these answers.
    """

    id: str
    model: str
    task: str
    outputs: list[Any]
    usage: dict[str, float]
    warnings: list[Notice] = []


class ExplainResponse(msgspec.Struct):
    """Why the inputs got their answers, one explanation an input, in the order of the inputs.

    Attributes:
        id: Id of the request.
        model: The version that answered, "name@3".
        task: The Hub's name of the task.
        explanations: `label`, its `score`, and for every part of the input the `effect` it had on that score; where
            asked for, `reasons` against the label and the `counterfactual` that turns the answer.
        usage: The model's own unit to how many: one for every look at an input, whole, without a part or changed.
        warnings: What to know about these answers.
    """

    id: str
    model: str
    task: str
    explanations: list[Any]
    usage: dict[str, float]
    warnings: list[Notice] = []


class ColumnObject(msgspec.Struct, frozen=True, omit_defaults=True):
    """One column a model reads."""

    name: Text
    kind: Text
    categories: Names = []


class ModelObject(msgspec.Struct, frozen=True):
    """A model as the listing shows it: OpenAI's four members first, then ours.

    Attributes:
        id: Its name.
        created: When the version was registered, seconds since 1970.
        version: The version that answers to this id, as a number.
        digest: sha256 of its manifest, and by it of every file.
        field: The application field.
        recipe: How it was learned.
        aliases: Alias to the number of the version it points at.
        versions: The numbers of all versions of this name.
        metrics: What it is worth on its test part: name to value and 95 % interval.
        labels: What it can answer; filled where one model is asked for.
        task: Our name of the task; `hub_task` is the Hub's.
        state: "ready", "loading", "failed" or "cold" (brought up on first use).
        ready: Whether it is up; KServe's clients read this.
        is_sample: Whether it learned from a field's generated sample and no real data.
        inputs: The columns it reads; filled where one model is asked for.
        limits: Bounds of one request; filled where one model is asked for.
        example: One input; filled where one model is asked for.
    """

    id: Reference
    created: Number = 0
    owned_by: Text = "servery"
    object: Text = "model"
    version: Number = 0
    digest: Text = ""
    task: Text = ""
    hub_task: Text = ""
    field: Text = ""
    recipe: Text = ""
    state: Text = "cold"
    ready: bool = False
    is_sample: bool = False
    aliases: dict[str, int] = {}
    versions: Annotated[list[Number], Meta(max_length=10_000)] = []
    metrics: dict[str, Any] = {}
    labels: Names = []
    inputs: Annotated[list[ColumnObject], Meta(max_length=10_000)] = []
    limits: dict[str, int] = {}
    example: Any = None


class ModelList(msgspec.Struct, frozen=True):
    """Every model that can be asked."""

    data: Annotated[list[ModelObject], Meta(max_length=10_000)]
    object: Text = "list"


class ReplicaStatus(msgspec.Struct, frozen=True):
    """One version as the engine has it.

    Attributes:
        reference: "name@3".
        state: "cold" (brought up on first use), "loading", "ready", "draining" or "failed".
        reason: Why it failed.
        runtime: What computes its outputs, e.g. "onnx".
        placement: Where it runs: "inline" (on the event loop), "thread" or "process"; `placement_reason` says why.
        answers_to: The ids whose requests it gets.
        memory_bytes: What the process grew by while it was loaded, or the memory of its own process; before it is
            loaded the size of its files.
        requests: Requests answered.
        seconds: What they took in all, waiting included; `queue_seconds` of it they waited for the model, and
            `compute_seconds` it computed.
        batches: Forward passes run.
        mean_batch_rows: Inputs in one forward pass, on average.
        latency_ms: Median over the last requests, waiting included; `latency_p99_ms` their 99th percentile.
        queue_rows: Inputs waiting now.
    """

    reference: Reference
    state: Text
    reason: Text = ""
    runtime: Text = ""
    placement: Text = ""
    placement_reason: Text = ""
    answers_to: Names = []
    memory_bytes: Number = 0
    requests: Number = 0
    rows: Number = 0
    errors: Number = 0
    seconds: Amount = 0.0
    queue_seconds: Amount = 0.0
    compute_seconds: Amount = 0.0
    batches: Number = 0
    mean_batch_rows: Amount = 0.0
    latency_ms: Amount = 0.0
    latency_p99_ms: Amount = 0.0
    queue_rows: Number = 0


class Status(msgspec.Struct, frozen=True):
    """What a server is doing, all its workers together; `servery ps` prints it.

    Attributes:
        process_id: Of the worker that was asked.
        is_ready: Whether all of them are.
        replicas: One row a version; what is counted is summed over the workers.
        workers: Process ids of the workers that answered.
    """

    version: Text
    process_id: Number
    uptime_seconds: Amount
    is_ready: bool
    requests_in_flight: Number
    replicas: Annotated[list[ReplicaStatus], Meta(max_length=10_000)]
    workers: Annotated[list[Number], Meta(max_length=1000)] = []


class Health(msgspec.Struct, frozen=True):
    """Whether the server lives, or is ready."""

    status: Text


class AliasRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which version an alias shall name; `force` also one whose report says not to trust it."""

    version: Annotated[int, Meta(ge=1, le=2**31)]
    force: bool = False


class AliasResponse(msgspec.Struct, frozen=True):
    """Which version an alias names now; it is loaded and answers."""

    model: Reference
    alias: Name


class KeyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to be made."""

    name: Annotated[str, Meta(min_length=1, max_length=128)]
    scopes: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=256)]], Meta(min_length=1, max_length=64)
    ]
    expires_in_seconds: Annotated[int, Meta(ge=1, le=10 * 366 * 86400)] | None = None
    limits: Limits = {}


class LimitsRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Limits of a key to be changed; null removes one, and those that are not named stay as they are."""

    limits: Annotated[dict[LimitName, Limit | None], Meta(max_length=32)]


class KeyObject(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key; its secret is told once, when it is made."""

    id: Text
    name: Text
    scopes: Names
    created_at: Text | None = None
    expires_at: Text | None = None
    revoked_at: Text | None = None
    last_used_at: Text | None = None
    limits: Limits = {}
    secret: Text | None = None


class KeyList(msgspec.Struct, frozen=True):
    """Every key, without the secrets."""

    data: Annotated[list[KeyObject], Meta(max_length=10_000)]


class UsageQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which usage is wanted.

    Attributes:
        since: Hours that begin at this moment or later: "2026-03-01", "2026-03-01T12:00:00Z", or "24h" ago; "" for all.
        until: Hours that begin before this moment; "" for all.
        key: Only this key, by its id or name; "" for all.
        model: Only this model, "name" or "name@3"; "" for all.
        group: What to tell apart besides the unit: key, model, and one of hour, day and month; a comma between them.
    """

    since: Moment = ""
    until: Moment = ""
    key: Annotated[str, Meta(max_length=128)] = ""
    model: Reference = ""
    group: Annotated[str, Meta(max_length=64)] = "key,model"


class UsageEntry(msgspec.Struct, frozen=True):
    """What was used; what the totals were not asked to tell apart is "".

    Attributes:
        key: Id of the key, and its `name`.
        model: The version, "name@3".
        unit: What `units` counts, e.g. "rows" or "tokens".
        start: Of the hour, day or month, in UTC.
        requests: Requests answered.
        units: How many of the unit.
        compute_seconds: Time the models spent on them.
    """

    key: Text
    model: Text
    unit: Text
    requests: Number
    units: Number
    compute_seconds: Amount
    name: Text = ""
    start: Text = ""


class UsageList(msgspec.Struct, frozen=True):
    """What was used."""

    data: Annotated[list[UsageEntry], Meta(max_length=100_000)]


class WebhookRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who shall be told of a job, signed as the Standard Webhooks specification says.

    Attributes:
        url: Takes a POST; http or https.
        events: What it is told: "job.started", "job.succeeded", "job.failed", "job.cancelled"; the last three if empty.
        secret: Signs the messages, "whsec_" with base64, or any text; made here if it is left out.
    """

    url: Annotated[str, Meta(min_length=1, max_length=2048)]
    events: Annotated[list[Annotated[str, Meta(max_length=32)]], Meta(max_length=4)] = []
    secret: Annotated[str, Meta(min_length=24, max_length=256)] | None = None


class JobWebhook(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who is told of a job; the secret only in the answer that made the job."""

    url: Annotated[str, Meta(max_length=2048)]
    events: Names
    secret: Text | None = None


class JobError(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a job failed, or what it waits for."""

    code: Text
    message: Annotated[str, Meta(max_length=10_000)]
    hint: Annotated[str, Meta(max_length=10_000)] | None = None


class JobObject(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A job as everyone sees it; what there is not is left out.

    Attributes:
        id: Chosen by its owner, or made.
        model: The version that answers, fixed when the job was made.
        state: "queued", "running", "succeeded", "failed" or "cancelled".
        key: Id of the key it belongs to.
        input_format: "jsonl", "csv" or "parquet".
        created_at: Moments are ISO 8601 in UTC.
        expires_at: When the job and its files are removed; None while it is not over.
        rows_total: None where only reading to the end tells.
        rows_done: Rows whose result is kept; `rows_failed` of them have an error in the place of an answer.
        usage: The model's own unit to how many, and "compute_seconds".
        error: Why it failed; of a queued job what it waits for.
    """

    id: Text
    object: Text
    model: Text
    state: Text
    key: Text
    input_format: Text
    created_at: Text
    started_at: Text | None = None
    finished_at: Text | None = None
    expires_at: Text | None = None
    deadline_at: Text | None = None
    rows_total: Number | None = None
    rows_done: Number
    rows_failed: Number
    usage: dict[str, Amount]
    error: JobError | None = None
    webhook: JobWebhook | None = None


class JobList(msgspec.Struct, frozen=True):
    """Jobs, the newest first, and where the next page begins."""

    data: Annotated[list[JobObject], Meta(max_length=1000)]
    next_cursor: Text | None = None
    object: Text = "list"


class ErrorDetail(msgspec.Struct, frozen=True):
    """What went wrong: a sentence, a stable code, what to do next, and the request's id."""

    message: str
    type: str
    code: str
    param: str | None = None
    hint: str | None = None
    request_id: str | None = None


class ErrorBody(msgspec.Struct, frozen=True):
    """Every answer that is not 2xx."""

    error: ErrorDetail
