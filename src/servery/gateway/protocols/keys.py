"""What an operator does with keys over HTTP: make, limit and revoke them, and read what they used."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from servery.gateway.access import checked_limits, checked_scopes
from servery.gateway.message import Request, Response
from servery.gateway.permission import Permission
from servery.gateway.route import Route
from servery.registry.keys import KeyRecord
from servery.registry.usage import read_usage
from servery.schemas import (
    KeyList,
    KeyObject,
    KeyRequest,
    LimitsRequest,
    UsageEntry,
    UsageList,
    UsageQuery,
)


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
        checked_limits(asked.limits),
        actor=request.actor,
    )
    await request.gateway.notice()
    return Response.json(_key_object(record, secret), status=201)


async def limit_key(request: Request) -> Response:
    """Change some limits of a key, from now on."""
    asked: LimitsRequest = await request.json(LimitsRequest)
    record = await asyncio.to_thread(
        request.gateway.access.keys.limit,
        request.parameters["key"],
        checked_limits(asked.limits),
        actor=request.actor,
    )
    await request.gateway.notice()
    return Response.json(_key_object(record))


async def revoke_key(request: Request) -> Response:
    """Refuse a key from now on."""
    record = await asyncio.to_thread(
        request.gateway.access.keys.revoke, request.parameters["key"], actor=request.actor
    )
    await request.gateway.notice()
    return Response.json(_key_object(record))


async def show_usage(request: Request) -> Response:
    """Answer what keys used, up to now in this process and up to a second ago in the other workers."""
    asked: UsageQuery = request.query(UsageQuery)
    groups = [group.strip() for group in asked.group.split(",") if group.strip()]
    await request.gateway.ledger.flush()
    totals = await asyncio.to_thread(
        read_usage,
        request.gateway.access.keys.database,
        groups,
        since=asked.since,
        until=asked.until,
        key=asked.key,
        model=asked.model,
    )
    return Response.json(UsageList([UsageEntry(**asdict(total)) for total in totals]))


def _key_object(record: KeyRecord, secret: str | None = None) -> KeyObject:
    return KeyObject(
        id=record.id,
        name=record.name,
        scopes=list(record.scopes),
        created_at=record.created_at,
        expires_at=record.expires_at,
        revoked_at=record.revoked_at,
        last_used_at=record.last_used_at,
        limits=record.limits,
        secret=secret,
    )


ROUTES = (
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
        statuses=(201,),
        example={
            "name": "mobile-app",
            "scopes": ["predict", "models:read"],
            "expires_in_seconds": 2592000,
            "limits": {"requests_per_minute": 600, "rows_per_day": 100000},
        },
        tags=("keys",),
    ),
    Route(
        "PUT",
        "/admin/v1/keys/{key}/limits",
        Permission.ADMIN,
        limit_key,
        "Change limits of a key, at once; null removes one",
        request=LimitsRequest,
        response=KeyObject,
        example={"limits": {"rows_per_minute": 6000, "rows_total": None, "weight": 2.0}},
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
        "What keys used, by key, model, unit and time",
        response=UsageList,
        query=UsageQuery,
        tags=("keys",),
    ),
)
