"""The calls of Triton's clients beside inference: the repository of models, and shared memory, which is refused."""

from __future__ import annotations

from typing import Any

import msgspec

from servery.gateway.inference.naming import plain_error
from servery.gateway.inference.parameters import shared_memory_error
from servery.gateway.inference.repository import index, load, unload
from servery.gateway.message import Request, Response
from servery.gateway.permission import Permission
from servery.gateway.route import Handler, Route
from servery.gateway.strict_json import converted, decoded


class IndexRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which versions to list: all, or only those that are loaded."""

    ready: bool = False


class SwitchRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to do while loading or unloading; Triton's clients send `unload_dependents`."""

    parameters: dict[str, bool | int | str | None] = {}


class Switched(msgspec.Struct, omit_defaults=True):
    """The model that was loaded or unloaded."""

    name: str
    load: bool = False
    unload: bool = False


async def list_versions(request: Request) -> Response:
    """Answer every version and whether it is loaded."""
    asked = await _read(request, IndexRequest)
    return Response.json(await index(request.gateway.engine, asked.ready))


async def load_model(request: Request) -> Response:
    """Put a model into service."""
    asked = await _read(request, SwitchRequest)
    await load(request, request.parameters["stored"], asked.parameters)
    return Response.json(Switched(request.parameters["stored"], load=True))


async def unload_model(request: Request) -> Response:
    """Take a model out of service, on all workers, until it is loaded again."""
    await _read(request, SwitchRequest)
    await unload(request, request.parameters["stored"])
    return Response.json(Switched(request.parameters["stored"], unload=True))


async def show_no_regions(_: Request) -> Response:
    """Answer that no memory is shared."""
    return Response.json([])


async def refuse_region(_: Request) -> Response:
    """Refuse to share memory.

    Raises:
        InputError: Always.
    """
    raise shared_memory_error()


async def _read(request: Request, of: type[Any]) -> Any:
    body = await request.body()
    return converted(decoded(body), of) if body.strip() else of()


def _route(
    method: str, path: str, permission: Permission, handler: Handler, summary: str, **more: Any
) -> Route:
    return Route(
        method, path, permission, handler, summary, tags=("repository",), error_shape=plain_error, **more
    )


_SWITCH: dict[str, Any] = {
    "type": "object",
    "properties": {
        "parameters": {
            "type": "object",
            "maxProperties": 100,
            "additionalProperties": {
                "type": ["string", "integer", "boolean", "null"],
                "maxLength": 1000,
                "minimum": 0,
                "maximum": 2**53,
            },
        }
    },
    "additionalProperties": False,
}
_REGIONS = {"type": "array"}


def _shared_memory_routes(kind: str) -> tuple[Route, ...]:
    root = f"/v2/{kind}sharedmemory"
    read, ask = Permission.MODELS_READ, Permission.PREDICT
    return (
        _route("GET", f"{root}/status", read, show_no_regions, "List shared memory: none", response=_REGIONS),
        _route("POST", f"{root}/region/{{region}}/register", ask, refuse_region, "Share memory: refused"),
        _route("POST", f"{root}/unregister", ask, show_no_regions, "Share no memory", response=_REGIONS),
    )


ROUTES = (
    _route(
        "POST",
        "/v2/repository/index",
        Permission.MODELS_READ,
        list_versions,
        "List the versions and whether they are loaded",
        request=IndexRequest,
        response={"type": "array", "items": {"type": "object", "required": ["name", "version", "state"]}},
        example={"ready": True},
    ),
    _route(
        "POST",
        "/v2/repository/models/{stored}/load",
        Permission.ADMIN,
        load_model,
        "Put a model into service",
        request=_SWITCH,
        response=Switched,
        example={},
    ),
    _route(
        "POST",
        "/v2/repository/models/{stored}/unload",
        Permission.ADMIN,
        unload_model,
        "Take a model out of service",
        request=_SWITCH,
        response=Switched,
        example={"parameters": {"unload_dependents": False}},
    ),
    *_shared_memory_routes("system"),
    *_shared_memory_routes("cuda"),
)
