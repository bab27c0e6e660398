"""A call over gRPC as a request of the gateway: the same keys, permissions, deadlines, counters and log."""

from __future__ import annotations

import random
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from servery.errors import CancelledError, MalformedError, ServeryError
from servery.gateway.app import Gateway
from servery.gateway.inference.grpc_bounds import check_message_bounds
from servery.gateway.inference.grpc_messages import SERVICE, message
from servery.gateway.inference.naming import told
from servery.gateway.inference.parameters import bring_forward
from servery.gateway.message import Request, Response
from servery.gateway.permission import Permission

Work = Callable[[Request, Any], Awaitable[Any]]
"""Answers a message with a message."""
Metadata = list[tuple[str, str]]

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
STATUSES = {
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    409: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def status_of(error: ServeryError) -> str:
    """Return the name of the gRPC status for an error."""
    return STATUSES.get(error.http_status, "INVALID_ARGUMENT" if error.http_status < 500 else "INTERNAL")


@dataclass(frozen=True)
class Call:
    """One method of the service.

    Attributes:
        name: E.g. "ModelInfer".
        permission: What it needs.
        work: Answers it.
    """

    name: str
    permission: Permission
    work: Work


@dataclass(slots=True)
class Outcome:
    """What became of one message: an answer, or an error."""

    request: Request
    answer: Any = None
    error: ServeryError | None = None


class Calls:
    """Lets messages pass the gates of a gateway.

    Attributes:
        gateway: Whose.
    """

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    async def answer(self, call: Call, body: bytes, context: Any) -> bytes:
        """Answer a call with one message; what goes wrong becomes its status."""
        outcome = await self.outcome(call, body, context)
        trailing = [("x-request-id", outcome.request.id)]
        trailing += [(name.decode(), value.decode()) for name, value in outcome.request.more_headers]
        if outcome.error is None:
            context.set_trailing_metadata(trailing)
            return outcome.answer.SerializeToString()  # type: ignore[no-any-return]
        # Not `abort`: its exception and the context hold each other, and the message, for long.
        code, details, metadata = _status(outcome.error, trailing)
        context.set_code(code)
        context.set_details(details)
        context.set_trailing_metadata(metadata)
        return b""

    async def answer_each(
        self, call: Call, bodies: AsyncIterator[bytes], context: Any
    ) -> AsyncIterator[bytes]:
        """Answer a stream, message by message; what goes wrong with one is told in its place."""
        answer = message("ModelStreamInferResponse")
        async for body in bodies:
            outcome = await self.outcome(call, body, context)
            if outcome.error is None:
                yield answer(infer_response=outcome.answer).SerializeToString()
            elif outcome.error.http_status in (401, 403):
                await self._refuse(outcome.error, context, [("x-request-id", outcome.request.id)])
            else:
                yield answer(error_message=told(outcome.error)).SerializeToString()

    async def outcome(self, call: Call, body: bytes, context: Any) -> Outcome:
        """Answer one message, counted and logged like any request."""
        started = time.perf_counter()
        request = self._request(call, body, context)
        outcome = Outcome(request)

        def remember(error: ServeryError, _: str) -> dict[str, str]:
            # Without its frames, which hold the message, and by which it would hold itself.
            error.__context__ = error.__cause__ = None
            outcome.error = error.with_traceback(None)
            return {}

        async def handle(_: Request) -> Response:
            await self._admit(call, request)
            outcome.answer = await call.work(request, _parsed(call, body))
            request.measures.bytes_out = outcome.answer.ByteSize()
            return Response()

        request.error_shape = remember
        is_counted = call.permission is not Permission.PUBLIC
        self.gateway.in_flight += is_counted
        try:
            response = await self.gateway.responded(request, handle)
        finally:
            self.gateway.in_flight -= is_counted
            request.error_shape = ServeryError.body  # it held the outcome, and with it the request
        status = CancelledError.http_status if context.cancelled() else response.status
        self.gateway.telemetry.observe(request, status, time.perf_counter() - started)
        return outcome

    async def admit(self, name: str, context: Any) -> None:
        """Let a call of another service pass that any key that may read models may make."""
        call = Call(name, Permission.MODELS_READ, _no_work)
        request = self._request(call, b"", context)
        try:
            await self._admit(call, request)
        except ServeryError as error:
            await self._refuse(error, context, [("x-request-id", request.id)])

    async def _admit(self, call: Call, request: Request) -> None:
        if call.permission is Permission.PUBLIC:
            return
        await self.gateway.identify(request)
        # Which model is asked stands in the message: `check_model` comes when it has been read.
        self.gateway.allow(request, call.permission, None, any_model=call.permission is Permission.PREDICT)

    def _request(self, call: Call, body: bytes, context: Any) -> Request:
        headers = headers_of(context.invocation_metadata())
        path = f"/{SERVICE}/{call.name}"
        scope = {"type": "http", "method": "POST", "path": path, "headers": []}
        sent = headers.get(b"x-request-id", b"")
        request_id = sent.decode() if _REQUEST_ID.fullmatch(sent) else f"req_{random.getrandbits(96):024x}"
        request = Request(scope, _nothing, self.gateway, headers, request_id)
        request.measures.route = path
        request.measures.is_logged = call.permission is not Permission.PUBLIC
        request.measures.bytes_in = len(body)
        remaining_seconds = context.time_remaining()
        if remaining_seconds is not None:
            bring_forward(request, int(remaining_seconds * 1000))
        return request

    async def _refuse(self, error: ServeryError, context: Any, trailing: Metadata) -> None:
        await context.abort(*_status(error, trailing))


def headers_of(metadata: Iterable[tuple[str, str | bytes]] | None) -> dict[bytes, bytes]:
    """Return a call's metadata as the headers of a request."""
    return {
        name.encode(): value if isinstance(value, bytes) else value.encode("latin-1", "replace")
        for name, value in metadata or ()
    }


def _status(error: ServeryError, trailing: Metadata) -> tuple[Any, str, tuple[tuple[str, str], ...]]:
    """Return the code, the details and the trailing metadata with which a call ends."""
    import grpc

    if error.http_status in (429, 503):
        trailing = [*trailing, ("retry-after", str(error.retry_after_seconds or 1))]
    trailing = [*trailing, ("x-error-code", error.code)]
    return getattr(grpc.StatusCode, status_of(error)), told(error), tuple(trailing)


def _parsed(call: Call, body: bytes) -> Any:
    from google.protobuf.message import DecodeError

    name = "ModelInferRequest" if call.name == "ModelStreamInfer" else f"{call.name}Request"
    check_message_bounds(body)
    try:
        return message(name).FromString(body)
    except DecodeError as error:
        raise MalformedError(f"The message is no inference.{name}.") from error


async def _no_work(_: Request, __: Any) -> None:
    """Answer nothing: another service does."""


async def _nothing() -> dict[str, Any]:
    return {"type": "http.disconnect"}
