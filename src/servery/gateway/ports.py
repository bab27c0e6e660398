"""The ports of a server: checked and held before anything starts, shared by its workers."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from servery.errors import ConflictError, StorageError
from servery.gateway.limits import is_loopback
from servery.gateway.listener import listeners
from servery.settings import Settings

SHARING = getattr(socket, "SO_REUSEPORT", None)
"""With this option several processes listen on one port, and the system spreads the connections over them."""


@contextmanager
def held(settings: Settings) -> Iterator[Settings]:
    """Hold the settings' ports while the server runs; give the settings with the real numbers for those that are 0.

    Raises:
        ConflictError: A port is taken, or the address is one that others can reach and nobody allowed that.
        StorageError: The address cannot be bound for another reason.
    """
    if not is_loopback(settings.host) and not settings.allow_remote:
        raise ConflictError(
            f"The address {settings.host} can be reached from other machines.",
            hint="Set SERVERY_ALLOW_REMOTE=true if that is meant; put TLS in front of it.",
            param="host",
        )
    names = dict.fromkeys(["port", *(listener.port_setting for listener in listeners())])
    ports: dict[str, Any] = {}
    with ExitStack() as stack:
        for name in names:
            port = getattr(settings, name)
            if port is None:
                continue
            if settings.port == 0 and name not in settings.model_fields_set:
                port = 0
            ports[name] = stack.enter_context(_held(settings.host, port, name)).getsockname()[1]
        yield settings.model_copy(update=ports)


def listening(host: str, port: int) -> socket.socket:
    """Return a socket bound to a held port, beside those of the other workers."""
    listener = _socket(host)
    if SHARING is not None:
        listener.setsockopt(socket.SOL_SOCKET, SHARING, 1)
    listener.bind((host.strip("[]"), port))
    return listener


def _held(host: str, port: int, name: str) -> socket.socket:
    # It never listens, so it gets no connections. Bound before it is made to share, it is refused a port on which
    # another server listens, even one that shares; sharing then, it lets the workers' sockets in.
    holder = _socket(host)
    try:
        holder.bind((host.strip("[]"), port))
        if SHARING is not None:
            holder.setsockopt(socket.SOL_SOCKET, SHARING, 1)
        return holder
    except OSError as error:
        holder.close()
        if error.errno == errno.EADDRINUSE:
            raise ConflictError(
                f"Port {port} on {host} is in use.",
                hint=f"servery serve --port {port + 1}"
                if name == "port"
                else f"SERVERY_{name.upper()}={port + 1}, or off",
                param=name,
            ) from error
        raise StorageError(f"{host}:{port} cannot be listened on: {error.strerror}.", param="host") from error


def _socket(host: str) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return made
