"""The Open Inference Protocol, version 2, over REST, with raw tensors both ways.

Its clients name a model and, if they like, a version: `reviews`, or `reviews` with version `3`, is `reviews@3`.
"""

from __future__ import annotations

import asyncio
from typing import Any

from servery.errors import NotReadyError
from servery.gateway.inference import rest_wire
from servery.gateway.inference.infer import infer
from servery.gateway.inference.messages import (
    Live,
    ModelConfig,
    ModelMetadata,
    ModelReady,
    Ready,
    ServerMetadata,
    StatisticsList,
)
from servery.gateway.inference.metadata import model_config, model_metadata, server_metadata, statistics
from servery.gateway.inference.naming import plain_error, reference_of, versions_of
from servery.gateway.message import Request, Response
from servery.gateway.permission import Permission
from servery.gateway.prediction import LARGE_BODY_BYTES
from servery.gateway.route import Handler, Route
from servery.serving.replica import Replica


async def show_live(_: Request) -> Response:
    """Answer that the process turns its event loop."""
    return Response.json(Live(True))


async def show_ready(request: Request) -> Response:
    """Answer whether requests should be sent here."""
    if request.gateway.is_draining or not request.gateway.engine.is_ready:
        raise NotReadyError("The server is not ready.")
    return Response.json(Ready(True))


async def show_server(_: Request) -> Response:
    """Answer the server's name, version and extensions."""
    return Response.json(server_metadata())


async def show_model(request: Request) -> Response:
    """Answer what a model takes and gives."""
    replica = await _replica(request)
    versions = await versions_of(request.gateway.engine, replica.version)
    return Response.json(model_metadata(replica, versions))


async def show_model_ready(request: Request) -> Response:
    """Bring a model up, if it is not, and answer that it is ready."""
    replica = await _replica(request)
    return Response.json(ModelReady(replica.version.name, True))


async def show_config(request: Request) -> Response:
    """Answer how a model is served."""
    return Response.json(model_config(await _replica(request), request.gateway.settings.max_batch_rows))


async def show_statistics(request: Request) -> Response:
    """Answer what a model did since it was loaded."""
    gateway = request.gateway
    version = await gateway.engine.version(_reference(request))
    return Response.json(await statistics(gateway, version))


async def show_all_statistics(request: Request) -> Response:
    """Answer what all loaded models did."""
    return Response.json(await statistics(request.gateway))


async def answer(request: Request) -> Response:
    """Answer tensors with tensors."""
    body = await request.body()
    name, version = _model(request)
    header = request.header(rest_wire.HEADER_LENGTH)
    if rest_wire.json_bytes(header, len(body)) > LARGE_BODY_BYTES:
        asked = await asyncio.to_thread(rest_wire.read, body, header, name, version)
    else:
        asked = rest_wire.read(body, header, name, version)
    inferred = await infer(request, "inference", reference_of(name, version), asked)
    if inferred.is_large:
        return await asyncio.to_thread(rest_wire.response, asked, inferred, request.id)
    return rest_wire.response(asked, inferred, request.id)


def _model(request: Request) -> tuple[str, str]:
    return request.parameters["model"], request.parameters.get("version", "")


def _reference(request: Request) -> str:
    return reference_of(*_model(request))


async def _replica(request: Request) -> Replica:
    return await request.gateway.engine.replica(_reference(request))


_NAME = {"type": "string", "maxLength": 256}
_PARAMETERS = {
    "type": ["object", "null"],
    "maxProperties": 100,
    "additionalProperties": {
        "type": ["string", "integer", "boolean", "null"],
        "maxLength": 10_000,
        "minimum": 0,
        "maximum": 2**53,
    },
}
_NUMBER = {
    "type": ["number", "string", "boolean"],
    "minimum": -1.7976931348623157e308,
    "maximum": 1.7976931348623157e308,
    "maxLength": 2**25,
}
_TENSOR = {
    "type": "object",
    "properties": {
        "name": _NAME,
        "datatype": {"enum": ["BOOL", "BYTES", "FP32", "FP64", "INT32", "INT64", "UINT8"]},
        "shape": {
            "type": "array",
            "minItems": 1,
            "maxItems": 16,
            "items": {"type": "integer", "minimum": 1, "maximum": 2**31},
        },
        "parameters": _PARAMETERS,
        "data": {"type": "array", "minItems": 1, "maxItems": 2**22, "items": _NUMBER},
    },
    "required": ["name", "shape", "datatype"],
    "additionalProperties": False,
}
_REQUEST: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": ["string", "null"], "maxLength": 256},
        "model_name": {**_NAME, "type": ["string", "null"]},
        "model_version": {**_NAME, "type": ["string", "null"]},
        "parameters": _PARAMETERS,
        "inputs": {"type": "array", "minItems": 1, "maxItems": 1000, "items": _TENSOR},
        "outputs": {
            "type": ["array", "null"],
            "maxItems": 1000,
            "items": {
                "type": "object",
                "properties": {"name": _NAME, "parameters": _PARAMETERS},
                "required": ["name"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["inputs"],
    "additionalProperties": False,
}
_EXAMPLE = {"inputs": [{"name": "text", "shape": [1, 1], "datatype": "BYTES", "data": ["great fun"]}]}


def _route(
    method: str, path: str, permission: Permission, handler: Handler, summary: str, response: Any, **more: Any
) -> Route:
    return Route(
        method,
        path,
        permission,
        handler,
        summary,
        response=response,
        tags=("inference",),
        error_shape=plain_error,
        **more,
    )


def _model_routes(path: str, which: str) -> tuple[Route, ...]:
    read = Permission.MODELS_READ
    return (
        _route("GET", path, read, show_model, f"Show {which}", ModelMetadata),
        _route("GET", f"{path}/ready", read, show_model_ready, f"Can {which} answer?", ModelReady),
        _route("GET", f"{path}/config", read, show_config, f"Show how {which} is served", ModelConfig),
        _route("GET", f"{path}/stats", read, show_statistics, f"Show what {which} did", StatisticsList),
        _route(
            "POST",
            f"{path}/infer",
            Permission.PREDICT,
            answer,
            f"Ask {which}, tensors for tensors",
            {"type": "object", "required": ["model_name", "outputs"]},
            request=_REQUEST,
            example=_EXAMPLE,
        ),
    )


ROUTES = (
    _route("GET", "/v2/health/live", Permission.PUBLIC, show_live, "Is the process alive?", Live),
    _route("GET", "/v2/health/ready", Permission.PUBLIC, show_ready, "Should requests come?", Ready),
    _route("GET", "/v2", Permission.MODELS_READ, show_server, "Show the server", ServerMetadata),
    _route(
        "GET",
        "/v2/models/stats",
        Permission.MODELS_READ,
        show_all_statistics,
        "Show what all models did",
        StatisticsList,
    ),
    *_model_routes("/v2/models/{model}", "a model"),
    *_model_routes("/v2/models/{model}/versions/{version}", "a version"),
)
