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
        explanations: `label`, its `score`, and for every part of the input the `effect` it had on that score.
        usage: The model's own unit to how many: one for every look at an input, whole or without a part.
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
        state: "loading", "ready", "draining" or "failed".
        reason: Why it failed.
        runtime: What computes its outputs, e.g. "onnx".
        answers_to: The ids whose requests it gets.
        memory_bytes: Estimate of what it holds: the size of its files.
        requests: Requests answered.
        batches: Forward passes run.
        mean_batch_rows: Inputs in one forward pass, on average.
        latency_ms: Median over the last requests, waiting included; `latency_p99_ms` their 99th percentile.
        queue_rows: Inputs waiting now.
    """

    reference: Reference
    state: Text
    reason: Text = ""
    runtime: Text = ""
    answers_to: Names = []
    memory_bytes: Number = 0
    requests: Number = 0
    rows: Number = 0
    errors: Number = 0
    batches: Number = 0
    mean_batch_rows: Amount = 0.0
    latency_ms: Amount = 0.0
    latency_p99_ms: Amount = 0.0
    queue_rows: Number = 0


class Status(msgspec.Struct, frozen=True):
    """What a server is doing; `servery ps` prints it."""

    version: Text
    process_id: Number
    uptime_seconds: Amount
    is_ready: bool
    requests_in_flight: Number
    replicas: Annotated[list[ReplicaStatus], Meta(max_length=10_000)]


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


class KeyObject(msgspec.Struct, frozen=True, omit_defaults=True):
    """A key; its secret is told once, when it is made."""

    id: Text
    name: Text
    scopes: Names
    created_at: Text | None = None
    expires_at: Text | None = None
    revoked_at: Text | None = None
    secret: Text | None = None


class KeyList(msgspec.Struct, frozen=True):
    """Every key, without the secrets."""

    data: Annotated[list[KeyObject], Meta(max_length=10_000)]


class UsageEntry(msgspec.Struct, frozen=True):
    """What one key used of one model since the server started."""

    key: Text
    model: Reference
    unit: Text
    requests: Number
    units: Number
    compute_seconds: Amount


class UsageList(msgspec.Struct, frozen=True):
    """What every key used."""

    data: Annotated[list[UsageEntry], Meta(max_length=100_000)]


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
