"""A request as a handler sees it, and the response it gives back."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from servery.errors import CancelledError, MalformedError
from servery.gateway.limits import read_body
from servery.gateway.strict_json import converted, decoded
from servery.registry.keys import KeyRecord

if TYPE_CHECKING:
    from servery.gateway.app import Gateway

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

LONGEST_DEADLINE_MS = 3_600_000


@dataclass(slots=True)
class Response:
    """What goes back: static bytes, a page or encoded JSON."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)

    @classmethod
    def json(
        cls, value: Any, status: int = 200, headers: list[tuple[bytes, bytes]] | None = None
    ) -> Response:
        """Return a value as JSON; structs and plain types."""
        return cls(status, msgspec.json.encode(value), headers=headers or [])


class Request:
    """One request under way.

    Attributes:
        gateway: The server that answers it.
        id: Goes back on the answer, also of an error.
        headers: Lower-case name to value; of a repeated one the last.
        parameters: Of the path.
        key: Who calls; None on public routes.
        notes: What telemetry will say of it: model, version, task, protocol.
        timings: Name to milliseconds, for the Server-Timing header.
    """

    __slots__ = ("gateway", "headers", "id", "key", "notes", "parameters", "receive", "scope", "timings")

    def __init__(self, scope: Scope, receive: Receive, gateway: Gateway, request_id: str) -> None:
        self.scope = scope
        self.receive = receive
        self.gateway = gateway
        self.id = request_id
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.parameters: Mapping[str, str] = {}
        self.key: KeyRecord | None = None
        self.notes: dict[str, str] = {}
        self.timings: dict[str, float] = {}

    def header(self, name: str) -> str | None:
        """Return a header's value, or None."""
        value = self.headers.get(name.encode())
        return None if value is None else value.decode("latin-1")

    @property
    def actor(self) -> str:
        """Who is named in the audit."""
        return f"key:{self.key.name}" if self.key else "nobody"

    async def body(self) -> bytes:
        """Read the whole body, within the server's bounds.

        Raises:
            InputError: Too large, too slow, or compressed.
        """
        settings = self.gateway.settings
        return await read_body(
            self.receive, self.headers, settings.max_body_bytes, settings.body_timeout_seconds
        )

    async def json(self, of: type[msgspec.Struct]) -> Any:
        """Read the body as JSON of a message type.

        Raises:
            InputError: It is not that.
        """
        return converted(decoded(await self.body()), of)

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

    async def unless_gone(self, work: Awaitable[Any]) -> Any:
        """Await `work`, and cancel it as soon as the client has gone. Read the body before.

        Raises:
            CancelledError: The client has gone.
        """
        task = asyncio.current_task()
        assert task is not None
        is_gone = False

        async def watch() -> None:
            nonlocal is_gone
            while (await self.receive())["type"] != "http.disconnect":
                pass
            is_gone = True
            task.cancel()

        watcher = asyncio.create_task(watch())
        try:
            return await work
        except asyncio.CancelledError:
            if not is_gone:
                raise
            task.uncancel()
            raise CancelledError("The client went away before its answer was ready.") from None
        finally:
            watcher.cancel()


def milliseconds(seconds: float) -> float:
    """Return seconds as milliseconds with three decimals.

    >>> milliseconds(0.0123456)
    12.346
    """
    return math.floor(seconds * 1e6 + 0.5) / 1000
