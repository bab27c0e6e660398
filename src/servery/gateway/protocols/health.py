"""Whether the server lives and is ready, its metrics, and the description of its routes."""

from __future__ import annotations

from servery.errors import NotReadyError
from servery.gateway.message import Request, Response
from servery.gateway.metric import CONTENT_TYPE
from servery.gateway.openapi import server_document
from servery.gateway.permission import Permission
from servery.gateway.route import Route
from servery.schemas import Health


async def live(_: Request) -> Response:
    """Answer that the process turns its event loop."""
    return Response.json(Health("alive"))


async def ready(request: Request) -> Response:
    """Answer whether requests should be sent here: every aliased version is up, and the server is not stopping."""
    if request.gateway.is_draining:
        raise NotReadyError("The server is stopping.")
    if not request.gateway.engine.is_ready:
        raise NotReadyError("The server is bringing up its models.")
    return Response.json(Health("ready"))


async def metrics(request: Request) -> Response:
    """Answer the metrics in Prometheus' text format."""
    return Response(body=await request.gateway.telemetry.text(), content_type=CONTENT_TYPE)


async def describe(request: Request) -> Response:
    """Answer the OpenAPI document of the whole server."""
    return Response.json(server_document(request.gateway.table.routes))


ROUTES = (
    Route(
        "GET", "/livez", Permission.PUBLIC, live, "Is the process alive?", response=Health, tags=("health",)
    ),
    Route(
        "GET", "/readyz", Permission.PUBLIC, ready, "Should requests come?", response=Health, tags=("health",)
    ),
    Route(
        "GET",
        "/metrics",
        Permission.METRICS_READ,
        metrics,
        "Metrics for Prometheus",
        tags=("health",),
        content_type="text/plain",
    ),
    Route(
        "GET",
        "/openapi.json",
        Permission.MODELS_READ,
        describe,
        "Describe every route",
        response={"type": "object"},
        tags=("health",),
    ),
)
