"""The ASGI application: every request passes the same gates, and every way out carries its request id."""

from __future__ import annotations

import asyncio
import os
import re
import time
import traceback
from collections.abc import Iterable, Sequence

import structlog

from servery.discovery import modules
from servery.errors import (
    CancelledError,
    MethodNotAllowedError,
    NotReadyError,
    RouteNotFoundError,
    ServeryError,
)
from servery.gateway.access import Access, check
from servery.gateway.limits import check_host
from servery.gateway.message import Receive, Request, Response, Scope, Send, milliseconds
from servery.gateway.route import Match, Permission, Route, RouteTable
from servery.gateway.telemetry import Telemetry
from servery.registry.keys import Keys
from servery.serving.engine import Engine
from servery.settings import Settings

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_ALWAYS = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]

log = structlog.get_logger("servery.gateway")


def protocol_routes() -> list[Route]:
    """Return the routes of every protocol: a file under `protocols/` with a module-level `ROUTES`."""
    return [route for module in modules("servery.gateway.protocols") for route in module.ROUTES]


def build_app(settings: Settings, engine: Engine, keys: Keys, routes: Iterable[Route] = ()) -> Gateway:
    """Return the application with the routes of all protocols and those of the rooms above.

    Raises:
        ServeryError: A route declares no permission, or one is declared twice.
    """
    return Gateway(settings, engine, keys, [*protocol_routes(), *routes])


class Gateway:
    """Admits, routes and answers requests.

    Attributes:
        settings: Bounds.
        engine: The models.
        access: The keys.
        telemetry: The counters.
        table: The routes.
        is_draining: Set when the server stops: requests under way finish, new ones are refused.
        in_flight: Requests under way, not counting the public ones.
    """

    def __init__(self, settings: Settings, engine: Engine, keys: Keys, routes: Sequence[Route]) -> None:
        self.settings = settings
        self.engine = engine
        self.access = Access(keys)
        self.telemetry = Telemetry(engine)
        self.table = RouteTable(routes)
        self.is_draining = False
        self.in_flight = 0
        self._started = time.monotonic()
        engine.on_change(self.access.forget)

    @property
    def uptime_seconds(self) -> float:
        """Seconds since the application was made."""
        return time.monotonic() - self._started

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI call."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await self.engine.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.engine.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        request = Request(scope, receive, self, _request_id(scope))
        response = await self._respond(request)
        seconds = time.perf_counter() - started
        self.telemetry.observe(request.notes, response.status, seconds)
        if response.status == CancelledError.http_status:
            return  # nobody listens
        request.timings["total"] = milliseconds(seconds)
        await _send(send, request, response)

    async def _respond(self, request: Request) -> Response:
        try:
            match = await self._admit(request)
            if match.route.permission is Permission.PUBLIC:
                return await match.route.handler(request)
            self.in_flight += 1
            try:
                return await match.route.handler(request)
            finally:
                self.in_flight -= 1
        except ServeryError as error:
            # A probe that asks too early is told so; that is no event.
            if error.http_status >= 500 and not isinstance(error, NotReadyError):
                log.warning("request failed", request_id=request.id, code=error.code, **request.notes)
            return _error_response(error, request)
        except asyncio.CancelledError:
            # Only a server whose time to drain is over cancels a request from outside.
            return _error_response(NotReadyError("The server stopped before the answer was ready."), request)
        except Exception as error:
            _log_unexpected(error, request)
            return _error_response(ServeryError("Something unexpected went wrong in the server."), request)

    async def _admit(self, request: Request) -> Match:
        check_host(request.headers.get(b"host"), self.settings.host)
        method, path = request.scope["method"], _raw_path(request.scope)
        match = self.table.find(method, path)
        if match is not None and match.route.permission is Permission.PUBLIC:
            request.parameters = match.parameters
            return match
        # Whether a route exists is told only to those who have a key.
        request.key = await self.access.key_of(request.headers)
        if match is None:
            raise self._not_found(method, path)
        check(request.key, match.route.permission, match.parameters.get("model"))
        if self.is_draining:
            raise NotReadyError("The server is stopping.", hint="Send it again; another server may answer.")
        request.parameters = match.parameters
        return match

    def _not_found(self, method: str, path: str) -> ServeryError:
        methods = self.table.methods(path)
        if methods:
            return MethodNotAllowedError(
                f"{method} is not for this path.", hint=f"It takes {', '.join(methods)}."
            )
        return RouteNotFoundError(
            f"There is no route {path[:200]!r}.", hint="GET /openapi.json describes every route."
        )


def _raw_path(scope: Scope) -> str:
    raw = scope.get("raw_path")
    return raw.decode("latin-1") if raw is not None else str(scope["path"])


def _request_id(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            return str(value, "ascii")
    return f"req_{os.urandom(12).hex()}"


def _error_response(error: ServeryError, request: Request) -> Response:
    response = Response.json(error.body(request.id), status=error.http_status)
    if error.http_status in (429, 503):
        response.headers.append((b"retry-after", str(error.retry_after_seconds or 1).encode()))
    if error.http_status == 408:
        response.headers.append((b"connection", b"close"))
    if error.http_status == 401:
        response.headers.append((b"www-authenticate", b"Bearer"))
    return response


def _log_unexpected(error: Exception, request: Request) -> None:
    # Not the message: it may quote what was sent.
    places = [
        f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
    ]
    log.error(
        "unexpected error",
        request_id=request.id,
        error=type(error).__name__,
        places=places[-12:],
        **request.notes,
    )


async def _send(send: Send, request: Request, response: Response) -> None:
    timing = ", ".join(f"{name};dur={value:g}" for name, value in request.timings.items())
    headers = [
        (b"content-type", response.content_type.encode("latin-1")),
        (b"content-length", str(len(response.body)).encode()),
        (b"x-request-id", request.id.encode()),
        (b"server-timing", timing.encode()),
        *_ALWAYS,
        *response.headers,
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
