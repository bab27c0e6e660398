"""The one way in which the server calls an address that a caller named: checked, bounded, never redirected.

The name is resolved here, its addresses are checked, and the connection goes to the very address that was checked:
a name that means another address a moment later (DNS rebinding) changes nothing.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Mapping

import httpx

from servery.errors import ForbiddenError, InputError, NotReadyError, ServeryError

MOST_ADDRESSES = 4
_NAME = re.compile(rb"[A-Za-z0-9._-]{1,253}")
NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def checked_url(text: str, *, allow_private: bool) -> httpx.URL:
    """Return an address that may be called, as far as it can be told without asking anyone what its name means.

    Args:
        text: As the caller sent it.
        allow_private: Whether it may be one of this machine or its own network.

    Raises:
        InputError: It is no http or https address, carries a password, or is a private one.

    >>> checked_url("https://example.com/hook", allow_private=False).host
    'example.com'
    """
    try:
        url = httpx.URL(text)
        port = url.port
    except (httpx.InvalidURL, ValueError) as error:
        raise InputError(f"The address cannot be read: {error}.", param="/webhook/url") from error
    is_host = _NAME.fullmatch(url.raw_host) or _as_address(url.host) is not None
    is_port = port is None or 1 <= port <= 65535
    if url.scheme not in ("http", "https") or not is_host or not is_port or url.userinfo:
        raise InputError(
            "The address must be http:// or https:// with a host, and without a name or password.",
            hint="https://example.com/hooks/servery",
            param="/webhook/url",
        )
    address = _as_address(url.host)
    is_private = url.host.lower().rstrip(".") == "localhost" or (
        address is not None and not is_public(address)
    )
    if is_private and not allow_private:
        raise InputError(
            f"The address {url.host[:100]!r} is not a public one.",
            hint="An operator allows private ones with SERVERY_WEBHOOK_ALLOW_PRIVATE=true.",
            param="/webhook/url",
        )
    return url


async def post(
    text: str, body: bytes, headers: Mapping[str, str], *, allow_private: bool, timeout_seconds: float
) -> int:
    """Send a body, and return the status it was answered with; the answer's own body is not read.

    Raises:
        InputError: The address is none that may be called.
        ForbiddenError: Its name means a private address.
        NotReadyError: Nobody answered in time.
    """
    url = checked_url(text, allow_private=allow_private)
    try:
        async with asyncio.timeout(timeout_seconds):
            addresses = await _addresses(url, allow_private)
            return await _post(url, addresses, body, headers, timeout_seconds)
    except TimeoutError:
        raise NotReadyError(f"{url.host} did not answer within {timeout_seconds:g} seconds.") from None


def is_public(address: Address) -> bool:
    """Return whether an address is one of the open internet, also where it stands inside another one.

    >>> [is_public(ipaddress.ip_address(a)) for a in ("1.1.1.1", "10.0.0.1", "::ffff:127.0.0.1", "169.254.169.254")]
    [True, False, False, False]
    """
    if isinstance(address, ipaddress.IPv6Address):
        teredo = address.teredo
        inner = [address.ipv4_mapped, address.sixtofour, teredo[1] if teredo else None]
        if address in NAT64:
            inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        found = [one for one in inner if one is not None]
        if found:
            return all(is_public(one) for one in found)
    return address.is_global and not address.is_multicast


async def _addresses(url: httpx.URL, allow_private: bool) -> list[str]:
    """Return what a name means; refuse it when any of that is private: nobody can tell which would be called."""
    port = url.port or (443 if url.scheme == "https" else 80)
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(url.raw_host.decode("ascii"), port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotReadyError(f"The name {url.host[:100]!r} means no address.") from error
    names = list(dict.fromkeys(str(entry[4][0]) for entry in found))[:MOST_ADDRESSES]
    for name in names:
        address = _as_address(name)
        if not allow_private and (address is None or not is_public(address)):
            raise ForbiddenError(f"The name {url.host[:100]!r} means an address that is not public.")
    return names


async def _post(
    url: httpx.URL, addresses: list[str], body: bytes, headers: Mapping[str, str], timeout_seconds: float
) -> int:
    named = {**headers, "host": url.netloc.decode("ascii")}
    problem: ServeryError = NotReadyError(f"The name {url.host[:100]!r} means no address.")
    # No proxy, no redirect, no cookie, no netrc: nothing but this request.
    async with httpx.AsyncClient(trust_env=False, timeout=timeout_seconds) as client:
        for address in addresses:
            request = client.build_request(
                "POST",
                url.copy_with(host=address),
                content=body,
                headers=named,
                extensions={"sni_hostname": url.raw_host.decode("ascii")},
            )
            try:
                response = await client.send(request, stream=True)
            except httpx.TransportError as error:
                problem = NotReadyError(f"{url.host} cannot be reached: {type(error).__name__}.")
                continue
            await response.aclose()
            return response.status_code
    raise problem


def _as_address(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
