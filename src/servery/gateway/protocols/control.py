"""What an operator does with models over HTTP: see the replicas, move aliases."""

from __future__ import annotations

import asyncio

from servery.errors import UntrustworthyError
from servery.gateway.message import Request, Response
from servery.gateway.permission import Permission
from servery.gateway.route import Route
from servery.gateway.status import status_of
from servery.schemas import (
    AliasRequest,
    AliasResponse,
    Status,
)


async def show_status(request: Request) -> Response:
    """Answer what the server is doing."""
    return Response.json(await status_of(request.gateway))


async def move_alias(request: Request) -> Response:
    """Load and warm a version, let the alias name it, and answer when it serves.

    Raises:
        ModelLoadError: It cannot be brought up; the alias stays where it was.
        UntrustworthyError: Its report says that its score is not to be trusted.
    """
    engine = request.gateway.engine
    asked: AliasRequest = await request.json(AliasRequest)
    name, alias = request.parameters["name"], request.parameters["alias"]
    replica = await engine.replica(f"{name}@{asked.version}")
    with replica.lease():
        lineage = replica.version.lineage
        if not lineage.get("is_trustworthy", True) and not asked.force:
            raise UntrustworthyError(
                f"The report of {replica.version.reference} says that its score is not to be trusted.",
                hint='Read the report, or send "force": true.',
            )
        await asyncio.to_thread(
            engine.registry.point, name, alias, replica.version.number, actor=request.actor
        )
        await request.gateway.refresh()
        return Response.json(AliasResponse(replica.version.reference, alias))


ROUTES = (
    Route(
        "GET",
        "/admin/v1/status",
        Permission.ADMIN,
        show_status,
        "What the server is doing",
        response=Status,
        tags=("operation",),
    ),
    Route(
        "PUT",
        "/admin/v1/models/{name}/aliases/{alias}",
        Permission.ADMIN,
        move_alias,
        "Move an alias; the version is loaded before it gets requests",
        request=AliasRequest,
        response=AliasResponse,
        example={"version": 1},
        tags=("operation",),
    ),
)
