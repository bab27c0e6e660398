"""A request as a handler sees it, and the response it gives back."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from servery.errors import CancelledError, DeadlineError, MalformedError, QuotaError, ServeryError
from servery.gateway.access import check
from servery.gateway.limits import read_body
from servery.gateway.permission import Permission
from servery.gateway.strict_json import LARGE_BODY_BYTES, converted, decoded_as
from servery.registry.keys import KeyRecord

if TYPE_CHECKING:
    from servery.gateway.app import Gateway
    from servery.gateway.ledger import Reservation
    from servery.serving.replica import Replica

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

LONGEST_DEADLINE_MS = 3_600_000
MOST_QUERY_NAMES = 100
PRESENCE = "servery.presence"
"""Where the edge puts a connection's `Presence` in the scope."""

WIRE = "servery.wire"
"""Where the edge puts the short way to a request's connection in the scope."""

Result = TypeVar("Result")


@dataclass(slots=True)
class Response:
    """What goes back: static bytes, a page, encoded JSON, or a stream.

    Attributes:
        stream: When given, sent part by part instead of `body`, as the parts come. It tells of its own errors in its
            protocol's way; it is closed when the client goes away.
    """

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    stream: AsyncGenerator[bytes] | None = None

    @classmethod
    def json(
        cls, value: Any, status: int = 200, headers: list[tuple[bytes, bytes]] | None = None
    ) -> Response:
        """Return a value as JSON; structs and plain types."""
        return cls(status, msgspec.json.encode(value), headers=headers or [])


class Presence:
    """Whether a connection's client is still there, and who wants to be told when it goes."""

    __slots__ = ("is_gone", "watchers")

    def __init__(self) -> None:
        self.is_gone = False
        self.watchers: set[Callable[[], None]] = set()

    def leave(self) -> None:
        """Tell every watcher that the client has gone."""
        self.is_gone = True
        for watcher in list(self.watchers):
            watcher()


@dataclass(slots=True)
class Measures:
    """What a request was and what answering it took, for telemetry and the request log.

    Attributes:
        started: When it began, on the performance counter.
        is_logged: Whether it leaves a line in the request log; probes and pages do not.
        route: The path's pattern, e.g. "/v1/models/{model}/predict".
        bytes_in: Of its body.
        bytes_out: Of the answer's body.
        error_code: Of the error it was answered with.
        queue_seconds: Longest wait for the model.
        compute_seconds: Its share of the forward passes.
        batch_rows: Inputs in the largest forward pass it took part in; 0 where the model was not asked.
        unit: What its task counts, e.g. "rows".
        units: How many of them.
        first_piece_seconds: Until the first piece of a streamed answer; 0 where nothing was streamed.
    """

    started: float = field(default_factory=time.perf_counter)
    is_logged: bool = True
    route: str = ""
    bytes_in: int = 0
    bytes_out: int = 0
    error_code: str = ""
    queue_seconds: float = 0.0
    compute_seconds: float = 0.0
    batch_rows: int = 0
    unit: str = ""
    units: int = 0
    first_piece_seconds: float = 0.0


class Request:
    """One request under way.

    Attributes:
        gateway: The server that answers it.
        id: Goes back on the answer, also of an error.
        headers: Lower-case name to value; of a repeated one the last.
        parameters: Of the path.
        key: Who calls; None on public routes.
        notes: What telemetry will say of it: model, version, task, protocol.
        measures: What telemetry and the request log will say it took.
        timings: Name to milliseconds, for the Server-Timing header.
        more_headers: Sent with the answer, also with an error, e.g. what is left of a quota.
        error_shape: Makes the error object that this client reads.
    """

    __slots__ = (
        "error_shape",
        "gateway",
        "headers",
        "id",
        "key",
        "measures",
        "more_headers",
        "notes",
        "parameters",
        "receive",
        "scope",
        "timings",
    )

    def __init__(
        self, scope: Scope, receive: Receive, gateway: Gateway, headers: dict[bytes, bytes], request_id: str
    ) -> None:
        self.scope = scope
        self.receive = receive
        self.gateway = gateway
        self.id = request_id
        self.headers = headers
        self.parameters: Mapping[str, str] = {}
        self.key: KeyRecord | None = None
        self.notes: dict[str, str] = {}
        self.measures = Measures()
        self.timings: dict[str, float] = {}
        self.more_headers: list[tuple[bytes, bytes]] = []
        self.error_shape: Callable[[ServeryError, str], Any] = ServeryError.body

    def header(self, name: str) -> str | None:
        """Return a header's value, or None."""
        value = self.headers.get(name.encode())
        return None if value is None else value.decode("latin-1")

    @property
    def actor(self) -> str:
        """Who is named in the audit."""
        return f"key:{self.key.name}" if self.key else "nobody"

    @property
    def share(self) -> tuple[str, float]:
        """Whose turn a request takes in a model's queue, and how much of it is theirs."""
        return ("", 1.0) if self.key is None else (self.key.id, float(self.key.limits.get("weight", 1)))

    def check_model(self, reference: str) -> None:
        """Refuse a key that may not ask this model; for routes whose body names it.

        Raises:
            ForbiddenError: It may not.
        """
        if self.key is not None:
            check(self.key, Permission.PREDICT, reference)

    def note(self, replica: Replica, protocol: str) -> None:
        """Tell telemetry which model answers this request, and in what protocol."""
        version = replica.version
        self.notes.update(
            model=version.name, version=str(version.number), task=replica.hub_task, protocol=protocol
        )

    async def reserve(self, replica: Replica, units: int) -> Reservation:
        """Hold units of the key's limits; what is left of them goes back in the headers.

        Raises:
            QuotaError: The key has not so much left.
        """
        assert self.key is not None
        ledger, unit = self.gateway.ledger, replica.task.unit
        try:
            reservation = await ledger.reserve(self.key, replica.version.reference, unit, units)
        except QuotaError:
            self.more_headers.extend(ledger.headers(self.key, unit))
            raise
        self.more_headers.extend(reservation.headers)
        return reservation

    async def body(self) -> bytes:
        """Read the whole body, within the server's bounds.

        Raises:
            InputError: Too large, too slow, or compressed.
        """
        settings = self.gateway.settings
        wire = self.scope.get(WIRE)
        body: bytes | None = None
        if wire is not None and b"content-encoding" not in self.headers:
            body = wire.whole_body(settings.max_body_bytes)
        if body is None:
            started = time.perf_counter()
            body = await read_body(
                self.receive, self.headers, settings.max_body_bytes, settings.body_timeout_seconds
            )
            self.timings["read"] = milliseconds(time.perf_counter() - started)
        self.measures.bytes_in = len(body)
        return body

    async def json(self, of: type[msgspec.Struct]) -> Any:
        """Read the body as JSON of a message type; a large one in a thread.

        Raises:
            InputError: It is not that.
        """
        body = await self.body()
        if len(body) > LARGE_BODY_BYTES:
            return await asyncio.to_thread(decoded_as, body, of)
        return decoded_as(body, of)

    def query(self, of: type[msgspec.Struct]) -> Any:
        """Read the query (what stands behind the question mark) as a message type.

        Raises:
            InputError: It is not that, or a name stands twice.
        """
        try:
            text = self.scope.get("query_string", b"").decode("ascii")
            pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MOST_QUERY_NAMES)
        except ValueError as error:
            raise MalformedError(
                "The query cannot be read.", hint="Send it as ?name=value&other=value."
            ) from error
        found = dict(pairs)
        if len(found) < len(pairs):
            raise MalformedError("A name stands twice in the query.")
        return converted(found, of, is_text=True)

    def deadline(self) -> float:
        """Return when the answer must be ready, in the event loop's time; the clock starts now.

        Raises:
            MalformedError: The header X-Deadline-Ms holds no such number.
        """
        asked = self.header("x-deadline-ms")
        milliseconds = self.gateway.settings.default_deadline_ms
        if asked is not None:
            is_number = asked.isascii() and asked.isdigit() and len(asked) <= 9
            milliseconds = int(asked) if is_number else 0
            if not 1 <= milliseconds <= LONGEST_DEADLINE_MS:
                raise MalformedError(
                    f"X-Deadline-Ms is {asked[:20]!r}; it must be from 1 to {LONGEST_DEADLINE_MS}.",
                    param="X-Deadline-Ms",
                )
        return asyncio.get_running_loop().time() + milliseconds / 1000

    async def within(self, deadline: float, work: Awaitable[Result]) -> Result:
        """Await `work`, and cancel it at the deadline or as soon as the client has gone. Read the body before.

        Raises:
            DeadlineError: The deadline, in the event loop's time, has passed.
            CancelledError: The client has gone.
        """
        task = asyncio.current_task()
        assert task is not None
        reasons: list[ServeryError] = []

        def stop(reason: ServeryError) -> None:
            reasons.append(reason)
            task.cancel()

        def leave() -> None:
            stop(CancelledError("The client went away before its answer was ready."))

        presence = self.scope.get(PRESENCE)
        clock = None
        if deadline < math.inf:
            clock = asyncio.get_running_loop().call_at(deadline, lambda: stop(_late()))
        if presence is not None:
            presence.watchers.add(leave)
            if presence.is_gone:
                leave()
        try:
            return await work
        except asyncio.CancelledError:
            if not reasons:
                raise
            task.uncancel()
            raise reasons[0] from None
        finally:
            if clock is not None:
                clock.cancel()
            if presence is not None:
                presence.watchers.discard(leave)


def _late() -> DeadlineError:
    return DeadlineError(
        "The deadline passed before the answer was ready.",
        hint="Send a larger X-Deadline-Ms, or fewer inputs.",
    )


def milliseconds(seconds: float) -> float:
    """Return seconds as milliseconds with three decimals.

    >>> milliseconds(0.0123456)
    12.346
    """
    return math.floor(seconds * 1e6 + 0.5) / 1000
