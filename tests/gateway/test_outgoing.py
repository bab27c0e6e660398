"""Addresses that a caller names: what may be called, and that it is called where it was checked."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from servery.errors import ForbiddenError, InputError, NotReadyError
from servery.gateway.outgoing import checked_url, post

PRIVATE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.0.1",
    "169.254.169.254",
    "100.64.0.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "[::]",
    "[::1]",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "[fc00::1]",
    "[fd12:3456::1]",
    "[ff02::1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:10.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[2001:db8::1]",
    "localhost",
    "LOCALHOST",
    "localhost.",
]
LIKE_127 = ["127.1", "0177.0.0.1", "0x7f.0.0.1", "2130706433", "0x7f000001", "127.0.0.1.", "017700000001"]
STRANGE = [
    "file:///etc/passwd",
    "ftp://example.com/",
    "gopher://127.0.0.1:6379/_PING",
    "http://",
    "//example.com/",
    "example.com",
    "http://user:word@example.com/",
    "http://example.com:0/",
    "http://example.com:99999/",
    "http://exa mple.com/",
    "http://[::1/",
    "",
]


@pytest.mark.parametrize("host", PRIVATE)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_address_that_is_no_public_one_is_refused(host: str, scheme: str) -> None:
    with pytest.raises(InputError, match="not a public one"):
        checked_url(f"{scheme}://{host}:8080/x", allow_private=False)


@pytest.mark.parametrize("text", STRANGE)
@pytest.mark.parametrize("allow_private", [True, False])
def test_what_is_no_plain_address_is_refused_even_where_private_ones_are_allowed(
    text: str, allow_private: bool
) -> None:
    with pytest.raises(InputError):
        checked_url(text, allow_private=allow_private)


@pytest.mark.parametrize(
    "text", ["https://example.com/x?y=1", "http://8.8.8.8/", "https://[2606:4700::1111]:8443/"]
)
def test_public_addresses_pass(text: str) -> None:
    assert str(checked_url(text, allow_private=False)) == text


@pytest.fixture
def listener() -> Any:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        yield listener


def is_untouched(listener: socket.socket) -> bool:
    try:
        listener.accept()
    except BlockingIOError:
        return True
    return False


@pytest.mark.parametrize("host", LIKE_127)
async def test_every_spelling_of_this_machine_is_refused_once_it_is_resolved(
    listener: Any, host: str
) -> None:
    port = listener.getsockname()[1]
    with pytest.raises((ForbiddenError, InputError, NotReadyError)):
        await post(f"http://{host}:{port}/", b"{}", {}, allow_private=False, timeout_seconds=5)
    assert is_untouched(listener)


async def test_a_name_with_one_private_address_among_its_own_is_refused(
    monkeypatch: pytest.MonkeyPatch, listener: Any
) -> None:
    port = listener.getsockname()[1]

    async def both(self: Any, host: str, port: int, **more: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, port)) for ip in ("8.8.8.8", "127.0.0.1")]

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", both)
    with pytest.raises(ForbiddenError, match="not public"):
        await post(f"http://rebound.example:{port}/", b"{}", {}, allow_private=False, timeout_seconds=5)
    assert is_untouched(listener)


async def test_the_connection_goes_to_the_address_that_was_checked_under_the_name_that_was_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    heads: list[bytes] = []
    own = asyncio.BaseEventLoop.getaddrinfo

    async def once(self: Any, host: Any, port: int, **more: Any) -> list[Any]:
        if host != "receiver.example":
            return list(await own(self, host, port, **more))
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(
            b"HTTP/1.1 307 x\r\nlocation: http://receiver.example/again\r\ncontent-length: 9\r\n\r\n"
        )
        await writer.drain()
        writer.close()

    monkeypatch.setattr(asyncio.BaseEventLoop, "getaddrinfo", once)
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        status = await post(
            f"http://receiver.example:{port}/hook", b"{}", {"x": "y"}, allow_private=True, timeout_seconds=5
        )
    assert status == 307
    assert asked == ["receiver.example"]
    assert len(heads) == 1
    assert f"host: receiver.example:{port}".encode() in heads[0].lower()


async def test_a_receiver_that_drips_is_left_in_time() -> None:
    is_left = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while not writer.is_closing():
            writer.write(b"H")
            await asyncio.sleep(0.05)
        writer.close()
        is_left.set()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NotReadyError):
            await post(f"http://127.0.0.1:{port}/", b"{}", {}, allow_private=True, timeout_seconds=0.5)
        await asyncio.wait_for(is_left.wait(), 10)
