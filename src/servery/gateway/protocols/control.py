"""What an operator does over HTTP: see the replicas, move aliases, make and revoke keys, read usage."""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta

from servery.errors import UntrustworthyError
from servery.gateway.access import checked_scopes
from servery.gateway.message import Request, Response
from servery.gateway.permission import Permission
from servery.gateway.route import Route
from servery.registry.keys import KeyRecord
from servery.schemas import (
    VERSION,
    AliasRequest,
    AliasResponse,
    KeyList,
    KeyObject,
    KeyRequest,
    Status,
    UsageList,
)


async def show_status(request: Request) -> Response:
    """Answer what the server is doing."""
    gateway = request.gateway
    return Response.json(
        Status(
            version=VERSION,
            process_id=os.getpid(),
            uptime_seconds=gateway.uptime_seconds,
            is_ready=gateway.engine.is_ready and not gateway.is_draining,
            requests_in_flight=gateway.in_flight,
            replicas=gateway.engine.status(),
        )
    )


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
        await engine.refresh()
        return Response.json(AliasResponse(replica.version.reference, alias))


async def list_keys(request: Request) -> Response:
    """Answer every key, without the secrets."""
    records = await asyncio.to_thread(request.gateway.access.keys.list)
    return Response.json(KeyList([_key_object(record) for record in records]))


async def create_key(request: Request) -> Response:
    """Make a key and answer its secret, this once."""
    asked: KeyRequest = await request.json(KeyRequest)
    lasting = asked.expires_in_seconds
    expires_at = None if lasting is None else datetime.now(UTC) + timedelta(seconds=lasting)
    record, secret = await asyncio.to_thread(
        request.gateway.access.keys.create,
        asked.name,
        checked_scopes(asked.scopes),
        expires_at,
        actor=request.actor,
    )
    request.gateway.access.forget()
    return Response.json(_key_object(record, secret), status=201)


async def revoke_key(request: Request) -> Response:
    """Refuse a key from now on."""
    record = await asyncio.to_thread(
        request.gateway.access.keys.revoke, request.parameters["key"], actor=request.actor
    )
    request.gateway.access.forget()
    return Response.json(_key_object(record))


async def show_usage(request: Request) -> Response:
    """Answer what every key used since the server started."""
    return Response.json(UsageList(request.gateway.ledger.usage()))


def _key_object(record: KeyRecord, secret: str | None = None) -> KeyObject:
    return KeyObject(
        id=record.id,
        name=record.name,
        scopes=list(record.scopes),
        created_at=record.created_at,
        expires_at=record.expires_at,
        revoked_at=record.revoked_at,
        secret=secret,
    )


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
    Route(
        "GET",
        "/admin/v1/keys",
        Permission.ADMIN,
        list_keys,
        "List the keys",
        response=KeyList,
        tags=("keys",),
    ),
    Route(
        "POST",
        "/admin/v1/keys",
        Permission.ADMIN,
        create_key,
        "Make a key; its secret is told this once",
        request=KeyRequest,
        response=KeyObject,
        example={"name": "mobile-app", "scopes": ["predict", "models:read"], "expires_in_seconds": 2592000},
        tags=("keys",),
    ),
    Route(
        "DELETE",
        "/admin/v1/keys/{key}",
        Permission.ADMIN,
        revoke_key,
        "Revoke a key, at once",
        response=KeyObject,
        tags=("keys",),
    ),
    Route(
        "GET",
        "/admin/v1/usage",
        Permission.ADMIN,
        show_usage,
        "What each key used",
        response=UsageList,
        tags=("operation",),
    ),
)
