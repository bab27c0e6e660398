"""Bounds of a request that hold before any work: the body's size and time, its encoding, the Host it names."""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, MutableMapping
from functools import lru_cache
from typing import Any

from servery.errors import CancelledError, MalformedError, TooLargeError, TooSlowError, UnsupportedMediaError

SLOWEST_BYTES_A_SECOND = 64 * 2**10
"""What a large body must keep up with."""

_HOST = re.compile(r"^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?$")


async def read_body(
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    headers: Mapping[bytes, bytes],
    max_bytes: int,
    timeout_seconds: float,
) -> bytes:
    """Read a body, counting while it arrives.

    Raises:
        UnsupportedMediaError: It is compressed.
        TooLargeError: It is, or says it is, larger than `max_bytes`.
        TooSlowError: It did not arrive in time.
        CancelledError: The client went away.
    """
    _check_head(headers, max_bytes)
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(timeout_seconds):
            async for part in _parts(receive, max_bytes):
                parts.append(part)
    except TimeoutError:
        raise TooSlowError(f"The body did not arrive within {timeout_seconds:g} seconds.") from None
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def body_parts(
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
    headers: Mapping[bytes, bytes],
    max_bytes: int,
    timeout_seconds: float,
) -> AsyncGenerator[bytes]:
    """Yield a large body part by part, as it arrives.

    It must keep up with `SLOWEST_BYTES_A_SECOND`, on average behind the first `timeout_seconds`.

    Raises:
        UnsupportedMediaError: It is compressed.
        TooLargeError: It is, or says it is, larger than `max_bytes`.
        TooSlowError: It comes too slowly.
        CancelledError: The client went away.
    """
    _check_head(headers, max_bytes)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_seconds
    parts = _parts(receive, max_bytes)
    while True:
        try:
            async with asyncio.timeout_at(deadline):
                part = await anext(parts, None)
        except TimeoutError:
            raise TooSlowError(
                f"The body came with less than {SLOWEST_BYTES_A_SECOND:,} bytes a second."
            ) from None
        if part is None:
            return
        deadline += len(part) / SLOWEST_BYTES_A_SECOND
        yield part


def _check_head(headers: Mapping[bytes, bytes], max_bytes: int) -> None:
    encoding = headers.get(b"content-encoding", b"identity")
    if encoding.strip().lower() != b"identity":
        raise UnsupportedMediaError(
            f"The body's Content-Encoding is {encoding[:40].decode('latin-1')!r}; bodies are read as they are.",
            hint="Send it without Content-Encoding.",
        )
    declared = headers.get(b"content-length", b"0")
    if not declared.isdigit() or int(declared) > max_bytes:
        raise _too_large(max_bytes)


async def _parts(
    receive: Callable[[], Awaitable[MutableMapping[str, Any]]], max_bytes: int
) -> AsyncGenerator[bytes]:
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CancelledError("The client went away before its body was complete.")
        part = message.get("body", b"")
        size += len(part)
        if size > max_bytes:
            raise _too_large(max_bytes)
        yield part
        if not message.get("more_body", False):
            return


def _too_large(max_bytes: int) -> TooLargeError:
    return TooLargeError(
        f"The body is larger than {max_bytes:,} bytes.", hint="Send fewer or smaller inputs in one request."
    )


@lru_cache(maxsize=1024)
def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address.

    >>> [is_loopback(host) for host in ("127.0.0.1", "localhost", "[::1]", "0.0.0.0", "example.com")]
    [True, True, True, False, False]
    """
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_host(header: bytes | None, bound_to: str) -> None:
    """Refuse a foreign Host header when only this machine can reach the server.

    A web page elsewhere can make a browser call a local server under a name of its own (DNS rebinding); the name
    gives it away.

    Raises:
        MalformedError: The header is missing, torn or foreign.
    """
    if not is_loopback(bound_to):
        return
    found = _HOST.match((header or b"").decode("latin-1"))
    if found is None:
        raise MalformedError("The Host header is missing or torn.", param="Host")
    if not is_loopback(found[1]):
        raise MalformedError(
            f"The Host header names {found[1][:100]!r}, which is not this server.",
            hint="Call it as 127.0.0.1 or localhost.",
            param="Host",
        )
