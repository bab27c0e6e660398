"""Runs the application on a port until it is told to stop, and then lets it finish."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import FrameType

import structlog
import uvicorn

from servery.errors import ConflictError, StorageError
from servery.gateway.app import Gateway, build_app
from servery.gateway.edge import bounded
from servery.gateway.limits import is_loopback
from servery.gateway.route import Route
from servery.registry.keys import Keys
from servery.registry.registry import Registry
from servery.serving.engine import Engine
from servery.settings import Settings
from servery.storage.database import Database

KEEP_ALIVE_SECONDS = 75
"""Longer than clients keep idle connections, so that it is they who close them."""
LAST_SECONDS = 1
"""After the time to drain: how long cancelled requests may take to say so."""


Ready = Callable[[str, str | None, Settings], None]
"""Is told the server's address, the admin key if it was made just now, and the settings with the real port."""


def serve(settings: Settings, routes: Iterable[Route] = (), ready: Ready | None = None) -> None:
    """Serve the models of a data home until SIGTERM or Ctrl-C; requests under way are finished.

    Args:
        settings: Where to listen, and every bound.
        routes: More routes, e.g. pages.
        ready: Called once, when it listens.

    Raises:
        ConflictError: The port is taken, or the address is one that others can reach and nobody allowed that.
        StorageError: The data home cannot be used.
    """
    _configure_logs()
    listener = listen(settings)
    settings.home.mkdir(parents=True, exist_ok=True)
    database = Database.open(settings.database_url)
    try:
        registry = Registry(database, settings.artifacts)
        keys = Keys(database, settings.home / "pepper.key")
        new_key = keys.ensure_admin_key(settings.admin_key_file)
        settings = settings.model_copy(update={"port": listener.getsockname()[1]})
        gateway = build_app(settings, Engine(registry, settings), keys, routes)
        is_up = None if ready is None else partial(ready, address(settings), new_key, settings)
        Server(gateway, is_up).run(sockets=[listener])
    finally:
        listener.close()
        database.close()


def listen(settings: Settings) -> socket.socket:
    """Return a socket bound to the settings' address.

    Raises:
        ConflictError: The port is taken, or the address is one that others can reach and nobody allowed that.
        StorageError: The address cannot be bound for another reason.
    """
    host, port = settings.host, settings.port
    if not is_loopback(host) and not settings.allow_remote:
        raise ConflictError(
            f"The address {host} can be reached from other machines.",
            hint="Set SERVERY_ALLOW_REMOTE=true if that is meant; put TLS in front of it.",
            param="host",
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host.strip("[]"), port))
        return listener
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ConflictError(
                f"Port {port} on {host} is in use.", hint=f"servery serve --port {port + 1}", param="port"
            ) from error
        raise StorageError(f"{host}:{port} cannot be listened on: {error.strerror}.", param="host") from error


class Server(uvicorn.Server):
    """uvicorn with our edge, and a stop that refuses new requests at once but finishes those under way.

    Args:
        gateway: The application.
        is_up: Called once, when it listens.
    """

    def __init__(self, gateway: Gateway, is_up: Callable[[], None] | None = None) -> None:
        settings = gateway.settings
        super().__init__(
            uvicorn.Config(
                gateway,
                http=bounded(settings.max_header_bytes, settings.header_timeout_seconds),
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=LAST_SECONDS,
            )
        )
        self._gateway = gateway
        self._is_up = is_up

    async def startup(self, sockets: Sequence[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(list(sockets or []))
        if self.started and self._is_up is not None:
            self._is_up()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; a second signal ends it now."""
        self._gateway.is_draining = True
        self.force_exit = self.should_exit
        self.should_exit = True

    async def shutdown(self, sockets: Sequence[socket.socket] | None = None) -> None:
        """Finish what is under way, still answering health probes; then close."""
        self._gateway.is_draining = True
        loop = asyncio.get_running_loop()
        end = loop.time() + self._gateway.settings.drain_seconds
        while self._gateway.in_flight and loop.time() < end and not self.force_exit:
            await asyncio.sleep(0.02)
        await super().shutdown(list(sockets or []))

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle the signals, and do not raise them again at the end: a stop that was asked for is no failure."""
        with super().capture_signals():
            yield
            self._captured_signals.clear()


def address(settings: Settings) -> str:
    """Return where a server with these settings is reached.

    >>> address(Settings(host="::1", port=8000))
    'http://[::1]:8000'
    """
    host = settings.host.strip("[]")
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def _configure_logs() -> None:
    # One JSON object a line, on standard error; control characters are escaped by JSON.
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    # What uvicorn has to say is said by the application, without the bytes that were sent.
    logging.getLogger("uvicorn").setLevel(logging.CRITICAL)
