"""The connection: uvicorn's HTTP protocol with bounds on a request's head and on the time it may take.

Stock uvicorn with httptools takes a head of any size, and waits for it for ever.
"""

from __future__ import annotations

from asyncio import TimerHandle
from collections.abc import Sequence
from typing import Any, ClassVar
from weakref import ref

import msgspec
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from servery.errors import HeaderTooLargeError, MalformedError, ServeryError, TooSlowError
from servery.gateway.message import PRESENCE, WIRE, Presence

LINGER_SECONDS = 5.0
"""How long the rest of a body that was refused is read and dropped, so that the client can read why."""


class Wire:
    """The short way between the application and one request's connection; ASGI's own way does the rest.

    A small answer's cost is mostly that of its messages: one write instead of two, and no wait for a body that is
    there already. The request's scope holds this, and uvicorn's cycle holds the scope: held weakly, a request and its
    body are gone when they are answered, and not when the garbage collector comes by.
    """

    __slots__ = ("_cycle",)

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = ref(cycle)

    def whole_body(self, max_bytes: int) -> bytes | None:
        """Return the body if all of it has come and is within the bound, else None: then it must be received."""
        cycle = self._cycle()
        if cycle is None:
            return None
        if cycle.more_body or len(cycle.body) > max_bytes or cycle.disconnected or cycle.response_complete:
            return None
        cycle.flow.resume_reading()
        cycle.message_event.clear()
        body = bytes(cycle.body)
        cycle.body = bytearray()
        return body

    def answered(self, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> bool:
        """Send a whole answer with status 200; return whether that was possible, else it goes ASGI's way."""
        cycle = self._cycle()
        if cycle is None:
            return False
        lines = [b"%b: %b\r\n" % header for header in [*cycle.default_headers, *headers]]
        head = b"".join(lines)
        is_plain = head.count(b"\n") == len(lines) and cycle.keep_alive and cycle.scope["method"] != "HEAD"
        if not is_plain or cycle.flow.write_paused or cycle.disconnected or cycle.response_started:
            return False
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.transport.write(b"".join((STATUS_LINE[200], head, b"\r\n", body)))
        cycle.message_event.set()
        cycle.on_response()
        return True


class BoundedProtocol(HttpToolsProtocol):
    """One connection. Subclass it with the bounds by `bounded`.

    The head's clock starts when a connection is made and with the first byte of each further request, and stops
    when the head is complete.
    """

    max_header_bytes: ClassVar[int]
    header_timeout_seconds: ClassVar[float]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = True
        self._in_body = False
        self._heads = 0
        self._head_bytes = 0
        self._timer: TimerHandle | None = None
        self._refusal: ServeryError | None = None
        self._presence = Presence()

    def connection_made(self, transport: Any) -> None:
        """Start the clock of the first head."""
        super().connection_made(transport)
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop every clock."""
        self._stop_clock()
        super().connection_lost(exc)
        self._presence.leave()

    def data_received(self, data: bytes) -> None:
        """Feed the parser, and refuse a head that grows too large before it is complete."""
        if self._refusal is not None:
            return
        was_in_head, heads = self._in_head, self._heads
        super().data_received(data)
        if was_in_head and self._in_head and heads == self._heads and self._refusal is None:
            # All of it belongs to a head that is still not complete.
            self._wait_for_head()
            self._head_bytes += len(data)
            if self._head_bytes > self.max_header_bytes:
                self._refuse(self._too_large())

    def on_message_begin(self) -> None:
        """Start the clock of a head that came right behind the request before."""
        super().on_message_begin()
        self.scope[PRESENCE] = self._presence  # type: ignore[literal-required]
        self._wait_for_head()

    def on_headers_complete(self) -> None:
        """Stop the clock and let the request begin, if its head is not too large."""
        self._stop_clock()
        self._in_head, self._in_body = False, True
        self._heads += 1
        self._head_bytes = 0
        size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
        if size > self.max_header_bytes:
            self._refusal = self._too_large()
            raise ValueError("the parser stops here; send_400_response answers with the refusal")
        super().on_headers_complete()
        self.scope[WIRE] = Wire(self.cycle)  # type: ignore[literal-required]

    def on_message_complete(self) -> None:
        """Note that what comes next is another head."""
        self._in_head, self._in_body = True, False
        if self.cycle is not None and self.cycle.response_complete:
            self._stop_clock()
            self._wait_for_head()  # uvicorn's own clock for idle connections has been stopped by the late bytes
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Give the rest of a body that nobody waited for a short while to arrive."""
        super().on_response_complete()
        if self._in_body and not self.transport.is_closing():
            self._start_clock(LINGER_SECONDS, self.transport.close)

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are no request, as every other error is answered."""
        error = self._refusal or MalformedError("The bytes received are not an HTTP request.")
        self._refuse(error)

    def _too_large(self) -> ServeryError:
        return HeaderTooLargeError(f"The request's head is larger than {self.max_header_bytes:,} bytes.")

    def _wait_for_head(self) -> None:
        if self._timer is None:
            self._start_clock(self.header_timeout_seconds, self._head_is_late)

    def _head_is_late(self) -> None:
        self._timer = None
        if self.cycle is not None and not self.cycle.response_complete:
            self._wait_for_head()  # an answer is under way on this connection: let it finish
            return
        if self._head_bytes:
            self._refuse(TooSlowError(f"No whole head came within {self.header_timeout_seconds:g} seconds."))
        self.transport.close()

    def _refuse(self, error: ServeryError) -> None:
        self._refusal = error
        self._stop_clock()
        if self.transport.is_closing():
            return
        body = msgspec.json.encode(error.body())
        head = (
            b"content-type: application/json\r\nx-content-type-options: nosniff\r\n"
            b"connection: close\r\ncontent-length: %d\r\n\r\n" % len(body)
        )
        self.transport.write(STATUS_LINE[error.http_status] + head + body)
        # Closed at once, bytes that are still coming would make the kernel drop the answer.
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._start_clock(LINGER_SECONDS, self.transport.close)

    def _start_clock(self, seconds: float, ring: Any) -> None:
        self._stop_clock()
        self._timer = self.loop.call_later(seconds, ring)

    def _stop_clock(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def bounded(max_header_bytes: int, header_timeout_seconds: float) -> type[BoundedProtocol]:
    """Return the protocol with these bounds, as uvicorn wants it: a class."""
    bounds = {"max_header_bytes": max_header_bytes, "header_timeout_seconds": header_timeout_seconds}
    return type("BoundedProtocol", (BoundedProtocol,), bounds)
