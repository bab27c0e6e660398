"""What SageMaker and MLflow call: `/ping` and `/invocations`, where no path and no body names the model."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from servery.errors import InputError, ModelNotFoundError, NotReadyError
from servery.gateway.message import Request, Response
from servery.gateway.openapi import INPUTS_SCHEMA, PARAMETERS_SCHEMA
from servery.gateway.permission import Permission
from servery.gateway.prediction import (
    Asked,
    ask,
    asked_bytes,
    asked_json,
    content_type_of,
    is_json,
    read_json,
)
from servery.gateway.route import Route
from servery.schemas import Health, Reference
from servery.serving.engine import Engine
from servery.serving.replica import Replica

NAMES = frozenset({"inputs", "instances", "dataframe_split", "dataframe_records", "params", "parameters"})
TARGET = "x-amzn-sagemaker-target-model"
"""SageMaker's header for the model of an endpoint with several."""


class WhichModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which model is asked, where the server has several."""

    model: Reference | None = None


async def ping(request: Request) -> Response:
    """Answer whether the server is ready."""
    if request.gateway.is_draining or not request.gateway.engine.is_ready:
        raise NotReadyError("The server is not ready.")
    return Response.json(Health("ready"))


async def answer(request: Request) -> Response:
    """Answer a body in one of MLflow's forms with `{"predictions": [...]}`."""
    asked: WhichModel = request.query(WhichModel)
    reference = asked.model or request.header(TARGET) or await _only_model(request.gateway.engine)
    request.check_model(reference)
    body = await request.body()

    async def read_it(replica: Replica) -> Asked:
        return await asyncio.to_thread(read, body, content_type_of(request), replica)

    predicted = await ask(request, "invocations", reference, read_it)
    return Response.json(
        {"predictions": predicted.answered.answers},
        headers=[(b"x-model-version", predicted.replica.version.reference.encode())],
    )


def read(body: bytes, content_type: str, replica: Replica) -> Asked:
    """Read inputs, instances, a data frame, or raw bytes.

    Raises:
        InputError: The body is none of them, or not what the model takes.
    """
    if not is_json(body, content_type, replica.form):
        return asked_bytes(body, content_type, replica)
    value = read_json(body, NAMES)
    given = [
        name for name in ("inputs", "instances", "dataframe_split", "dataframe_records") if name in value
    ]
    if len(given) != 1:
        raise InputError(
            "The body must have exactly one of inputs, instances, dataframe_split, dataframe_records; "
            f"it has {', '.join(given) or 'none'}.",
            param="/",
        )
    inputs = value[given[0]]
    if given[0] == "dataframe_split":
        inputs = _records(inputs)
    return asked_json(inputs, value.get("params") or value.get("parameters"), replica)


def _records(frame: Any) -> list[dict[str, Any]]:
    try:
        split = msgspec.convert(frame, _Split)
        return [dict(zip(split.columns, row, strict=True)) for row in split.data]
    except (msgspec.ValidationError, ValueError) as error:
        raise InputError(
            f"dataframe_split cannot be read: {error}.",
            hint='{"columns": ["a", "b"], "data": [[1, 2]]}',
            param="/dataframe_split",
        ) from error


class _Split(msgspec.Struct, forbid_unknown_fields=True):
    columns: list[str]
    data: list[list[Any]]
    index: list[Any] = []


async def _only_model(engine: Engine) -> str:
    names = await asyncio.to_thread(engine.registry.names)
    if len(names) == 1:
        return names[0]
    raise ModelNotFoundError(
        f"This server has {len(names)} models, and the request names none.",
        hint=f"Send it to /invocations?model=NAME, or with the header {TARGET}.",
        param="model",
    )


ROUTES = (
    Route(
        "GET",
        "/ping",
        Permission.PUBLIC,
        ping,
        "Should requests come?",
        response=Health,
        tags=("invocations",),
    ),
    Route(
        "POST",
        "/invocations",
        Permission.PREDICT,
        answer,
        "Predict, as SageMaker and MLflow call it",
        query=WhichModel,
        request={
            "type": "object",
            "properties": {
                "inputs": INPUTS_SCHEMA,
                "instances": INPUTS_SCHEMA,
                "dataframe_records": INPUTS_SCHEMA["anyOf"][-1],
                "dataframe_split": {
                    "type": "object",
                    "properties": {
                        "columns": {
                            "type": "array",
                            "maxItems": 10_000,
                            "items": {"type": "string", "maxLength": 1024},
                        },
                        "data": {
                            "type": "array",
                            "maxItems": 10_000,
                            "items": {"type": "array", "maxItems": 10_000, "items": {}},
                        },
                        "index": {"type": "array", "maxItems": 10_000, "items": {}},
                    },
                    "required": ["columns", "data"],
                    "additionalProperties": False,
                },
                "params": PARAMETERS_SCHEMA,
            },
            "additionalProperties": False,
        },
        response={"type": "object", "required": ["predictions"]},
        example={"inputs": ["The staff were friendly and the room was spotless."]},
        tags=("invocations",),
        names_model_in_body=True,
    ),
)
