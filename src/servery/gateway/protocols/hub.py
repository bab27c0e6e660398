"""The form in which `huggingface_hub.InferenceClient` asks and reads; no envelope, extras in headers.

The client never says which task it means: the model knows. A picture comes as a raw body, with or without a
content type, or in base64 where parameters go with it; a table comes as {"table": {column: [values]}}.
"""

from __future__ import annotations

from typing import Any

from servery.errors import InputError
from servery.gateway.message import Request, Response
from servery.gateway.openapi import EXAMPLE, INPUTS_SCHEMA, PARAMETERS_SCHEMA
from servery.gateway.permission import Permission
from servery.gateway.prediction import Asked, Predicted, asked_bytes, asked_json, is_json, predict, read_json
from servery.gateway.route import Route
from servery.serving.replica import Replica

NAMES = frozenset({"inputs", "parameters", "table", "options"})
"""`options` (use_cache, wait_for_model ...) is accepted and means nothing here."""


async def answer(request: Request) -> Response:
    """Answer a prediction in the Hub's shape."""
    predicted = await predict(request, "hub", read)
    replica = predicted.replica
    kinds = replica.predictor.signature.kinds
    value = replica.task.hub_answers(predicted.answered.answers, kinds, predicted.asked.is_batch)
    return Response.json(value, headers=_extras(predicted))


def read(body: bytes, content_type: str, replica: Replica) -> Asked:
    """Read a body as the client sends it.

    Raises:
        InputError: It is not what the model takes.
    """
    if not is_json(body, content_type):
        return asked_bytes(body, content_type, replica)
    value = read_json(body, NAMES)
    parameters: Any = value.get("parameters")
    if "table" in value:
        return asked_json({"table": value["table"]}, parameters, replica)
    if "inputs" not in value:
        raise InputError(
            'The body has neither "inputs" nor "table".', param="/inputs", hint='{"inputs": ...}'
        )
    return asked_json(value["inputs"], parameters, replica)


def _extras(predicted: Predicted) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"x-model-version", predicted.replica.version.reference.encode()),
        (b"x-compute-seconds", f"{predicted.answered.compute_seconds:.6f}".encode()),
        (f"x-usage-{predicted.replica.task.unit}".encode(), str(len(predicted.asked.examples)).encode()),
    ]
    if predicted.warnings:
        headers.append((b"x-warnings", ",".join(notice.code for notice in predicted.warnings).encode()))
    return headers


ROUTES = (
    Route(
        "POST",
        "/v1/models/{model}",
        Permission.PREDICT,
        answer,
        "Predict, as the Hub's inference clients speak",
        request={
            "type": "object",
            "properties": {
                "inputs": INPUTS_SCHEMA,
                "table": {**INPUTS_SCHEMA, "description": "Columns of values: {column: [values]}."},
                "parameters": PARAMETERS_SCHEMA,
                "options": {**PARAMETERS_SCHEMA, "description": "Accepted, and without effect."},
            },
            "additionalProperties": False,
        },
        response={"description": "The Hub's shape of this task's answer."},
        example=EXAMPLE,
        tags=("hub",),
    ),
)
