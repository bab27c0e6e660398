"""What a request for a job may say, in JSON or in the query beside a file of rows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from servery.gateway.openapi import INPUTS_SCHEMA, PARAMETERS_SCHEMA
from servery.schemas import Reference, WebhookRequest

MOST_INPUTS = 100_000

Parameters = Annotated[dict[str, Any], Meta(extra_json_schema=PARAMETERS_SCHEMA)]
Rows = Annotated[
    list[Any],
    Meta(
        min_length=1,
        max_length=MOST_INPUTS,
        extra_json_schema={**INPUTS_SCHEMA["anyOf"][-1], "maxItems": MOST_INPUTS},
    ),
]
DeadlineSeconds = Annotated[float, Meta(ge=1, le=366 * 86400)]


class JobInput(msgspec.Struct, forbid_unknown_fields=True):
    """Rows in a request's body.

    Attributes:
        rows: One object a row.
        content: The text of a file, whose `format` is "csv" (with any delimiter) or "jsonl".
    """

    rows: Rows | None = None
    content: Annotated[str, Meta(min_length=1, max_length=32 * 2**20)] | None = None
    format: Literal["csv", "jsonl"] = "jsonl"


class JobRequest(msgspec.Struct, forbid_unknown_fields=True):
    """A job to be made.

    Attributes:
        model: "name", "name@3" or "name@alias"; the version it means now answers all rows.
        inputs: One a row, each as in a prediction; or else `input`.
        parameters: What the task lets you ask, the same for every row.
        webhook: Who is told.
        id: Your own name for it; making it again with the same content changes nothing.
        id_column: The column that tells rows apart; "id" where there is one.
        deadline_seconds: After this long what is not done stays undone.
    """

    model: Reference
    inputs: Rows | None = None
    input: JobInput | None = None
    parameters: Parameters = {}
    webhook: WebhookRequest | None = None
    id: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    id_column: Annotated[str, Meta(max_length=256)] = ""
    deadline_seconds: DeadlineSeconds | None = None


class UploadQuery(msgspec.Struct, forbid_unknown_fields=True):
    """What stands in the query when the body is a file of rows; as in `JobRequest`.

    Attributes:
        parameters: A JSON object.
        webhook_events: Parted by commas.
    """

    model: Reference = ""
    id: Annotated[str, Meta(max_length=128)] | None = None
    id_column: Annotated[str, Meta(max_length=256)] = ""
    parameters: Annotated[str, Meta(max_length=10_000)] = ""
    webhook_url: Annotated[str, Meta(max_length=2048)] = ""
    webhook_events: Annotated[str, Meta(max_length=256)] = ""
    deadline_seconds: DeadlineSeconds | None = None


class PageQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which jobs: `limit` of them, from where the page before said."""

    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    cursor: Annotated[str, Meta(max_length=128)] = ""


class ResultsQuery(msgspec.Struct, forbid_unknown_fields=True):
    """Which results: `limit` rows, from where the page before said, in which format."""

    limit: Annotated[int, Meta(ge=1, le=100_000)] = 1000
    cursor: Annotated[int, Meta(ge=0, le=2**53)] = 0
    format: Literal["", "jsonl", "csv", "parquet"] = ""
