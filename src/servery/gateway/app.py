"""The ASGI application: every request passes the same gates, and every way out carries its request id."""

from __future__ import annotations

import asyncio
import math
import random
import re
import time
import traceback
from collections.abc import AsyncGenerator, Awaitable, Iterable, Mapping, Sequence

import structlog

from servery.discovery import modules
from servery.errors import (
    CancelledError,
    MethodNotAllowedError,
    NotReadyError,
    RouteNotFoundError,
    ServeryError,
    TooLargeError,
)
from servery.gateway.access import Access, check, may_ask_some_model
from servery.gateway.jobs import Jobs
from servery.gateway.ledger import Ledger
from servery.gateway.limits import check_host
from servery.gateway.memory import LARGE_BYTES, Memory
from servery.gateway.message import WIRE, Receive, Request, Response, Scope, Send, milliseconds
from servery.gateway.permission import Permission
from servery.gateway.route import Handler, Match, Route, RouteTable
from servery.gateway.siblings import LONGEST_WORK_SECONDS, Siblings, Worker
from servery.gateway.status import answer_siblings
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


def build_app(
    settings: Settings,
    engine: Engine,
    keys: Keys,
    routes: Iterable[Route] = (),
    worker: Worker | None = None,
) -> Gateway:
    """Return the application with the routes of all protocols and those of the rooms above.

    Raises:
        ServeryError: A route declares no permission, or one is declared twice.
    """
    return Gateway(settings, engine, keys, [*protocol_routes(), *routes], worker)


class Gateway:
    """Admits, routes and answers requests.

    Attributes:
        settings: Bounds.
        engine: The models.
        access: The keys.
        siblings: The server's other workers.
        telemetry: The counters.
        ledger: What keys used, and may still use.
        jobs: What is answered in the background.
        memory: What large requests left behind.
        table: The routes.
        is_draining: Set when the server stops: requests under way finish, new ones are refused.
        in_flight: Requests under way, not counting the public ones.
    """

    def __init__(
        self,
        settings: Settings,
        engine: Engine,
        keys: Keys,
        routes: Sequence[Route],
        worker: Worker | None = None,
    ) -> None:
        self.settings = settings
        self.engine = engine
        self.access = Access(keys)
        self.siblings = Siblings(worker or Worker())
        self.telemetry = Telemetry(engine, self.siblings, lambda: self.in_flight)
        answer_siblings(self)
        self.siblings.answer("notice", lambda: _done(engine.notice()))
        self.siblings.answer("refresh", lambda: _done(engine.refresh()))
        self.ledger = Ledger.open(keys.database, settings.home)
        self.jobs = Jobs(settings, engine, keys, self.ledger)
        self.memory = Memory()
        self.table = RouteTable(routes)
        self.is_draining = False
        self.in_flight = 0
        self._started = time.monotonic()
        engine.on_change(self.access.forget)

    @property
    def uptime_seconds(self) -> float:
        """Seconds since the application was made."""
        return time.monotonic() - self._started

    async def notice(self) -> None:
        """Have every worker see now what has changed in the registry or its keys."""
        await asyncio.gather(self.engine.notice(), self.siblings.ask("notice"))

    async def refresh(self) -> None:
        """Return when every worker answers with what the registry says now."""
        await asyncio.gather(self.engine.refresh(), self.siblings.ask("refresh", LONGEST_WORK_SECONDS))

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
                await self.siblings.start()
                await self.telemetry.start(self.settings)
                await self.jobs.start()
                await send({"type": "lifespan.startup.complete"})
            else:
                await self.siblings.stop()
                await self.jobs.stop()
                await self.engine.stop()
                await self.telemetry.stop()
                await self.ledger.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        headers = dict(scope["headers"])  # of a repeated one the last
        request = Request(scope, receive, self, headers, _request_id(headers))
        is_counted = False
        try:
            match = await self._admit(request)
            is_counted = match.route.permission is not Permission.PUBLIC
            self.in_flight += is_counted
            response = await self.responded(request, match.route.handler)
        except ServeryError as error:
            response = _error_response(error, request)
        try:
            seconds = time.perf_counter() - started
            request.timings["total"] = milliseconds(seconds)
            if response.status != CancelledError.http_status:  # else nobody listens
                await _send(send, request, response)
        finally:
            self.in_flight -= is_counted
            self.telemetry.observe(request, response.status, time.perf_counter() - started)

    async def responded(self, request: Request, handler: Handler) -> Response:
        """Return what a handler answers; whatever it raises becomes an answer too."""
        try:
            return await handler(request)
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
        finally:
            measures = request.measures
            if measures.bytes_in > LARGE_BYTES or measures.error_code == TooLargeError.code:
                self.memory.give_back_soon()

    async def _admit(self, request: Request) -> Match:
        method, path = request.scope["method"], _raw_path(request.scope)
        match = self.table.find(method, path)
        request.error_shape = self.table.error_shape(path) if match is None else match.route.error_shape
        check_host(request.headers.get(b"host"), self.settings.host)
        if match is not None:
            request.parameters = match.parameters
            request.measures.route = match.route.path
            if match.route.permission is Permission.PUBLIC:
                request.measures.is_logged = False
                return match
        # Whether a route exists is told only to those who have a key.
        await self.identify(request)
        if match is None:
            raise self._not_found(method, path)
        self.allow(
            request, match.route.permission, match.parameters.get("model"), match.route.names_model_in_body
        )
        return match

    async def identify(self, request: Request) -> None:
        """Find out who calls.

        Raises:
            UnauthenticatedError: Nobody with a valid key.
        """
        request.key = await self.access.key_of(request.headers)

    def allow(
        self, request: Request, permission: Permission, model: str | None, any_model: bool = False
    ) -> None:
        """Let an identified request pass.

        Args:
            request: What came.
            permission: What it needs.
            model: The model it is for; None for none.
            any_model: A key for some model suffices here; which one is asked is checked later.

        Raises:
            ForbiddenError: The key may not do this.
            NotReadyError: The server is stopping.
        """
        assert request.key is not None
        if not (any_model and may_ask_some_model(request.key)):
            check(request.key, permission, model)
        if self.is_draining:
            raise NotReadyError("The server is stopping.", hint="Send it again; another server may answer.")

    def _not_found(self, method: str, path: str) -> ServeryError:
        methods = self.table.methods(path)
        if methods:
            return MethodNotAllowedError(
                f"{method} is not for this path.", hint=f"It takes {', '.join(methods)}."
            )
        return RouteNotFoundError(
            f"There is no route {path[:200]!r}.", hint="GET /openapi.json describes every route."
        )


async def _done(work: Awaitable[None]) -> bytes:
    await work
    return b""


def _raw_path(scope: Scope) -> str:
    raw = scope.get("raw_path")
    return raw.decode("latin-1") if raw is not None else str(scope["path"])


def _request_id(headers: Mapping[bytes, bytes]) -> str:
    sent = headers.get(b"x-request-id")
    if sent is not None and _REQUEST_ID.fullmatch(sent):
        return str(sent, "ascii")
    return f"req_{random.getrandbits(96):024x}"  # unique is enough: it is no secret


def _error_response(error: ServeryError, request: Request) -> Response:
    request.measures.error_code = error.code
    response = Response.json(request.error_shape(error, request.id), status=error.http_status)
    if error.http_status in (429, 503, 504):
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
    timing = ", ".join([f"{name};dur={value:g}" for name, value in request.timings.items()])
    headers = [
        (b"content-type", response.content_type.encode("latin-1")),
        (b"x-request-id", request.id.encode()),
        (b"server-timing", timing.encode()),
        *_ALWAYS,
        *request.more_headers,
        *response.headers,
    ]
    if response.stream is None:
        headers.append((b"content-length", b"%d" % len(response.body)))
    if response.stream is None:
        request.measures.bytes_out = len(response.body)
        wire = request.scope.get(WIRE)
        if wire is not None and response.status == 200 and wire.answered(headers, response.body):
            return
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    if response.stream is None:
        await send({"type": "http.response.body", "body": response.body})
    else:
        await _send_stream(send, request, response.stream)


async def _send_stream(send: Send, request: Request, stream: AsyncGenerator[bytes]) -> None:
    async def pump() -> None:
        measures = request.measures
        async for part in stream:
            if not measures.bytes_out:
                measures.first_piece_seconds = time.perf_counter() - measures.started
            measures.bytes_out += len(part)
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    try:
        await request.within(math.inf, pump())
    except CancelledError:
        log.info("stream left by its client", request_id=request.id, **request.notes)
    except Exception as error:
        # Its head is sent: the only way left to say that it is not whole is to break it off.
        _log_unexpected(error, request)
    finally:
        await stream.aclose()
