"""Runs the application on a port until it is told to stop, and then lets it finish."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import structlog
import uvicorn

from servery.errors import ServeryError
from servery.gateway import ports
from servery.gateway.app import Gateway, build_app
from servery.gateway.edge import bounded
from servery.gateway.listener import Listener, listeners
from servery.gateway.route import Route
from servery.gateway.siblings import Worker
from servery.gateway.workers import Addresses, Lifeline, Workers
from servery.registry.keys import Keys
from servery.registry.registry import Registry
from servery.serving.engine import Engine
from servery.settings import Settings
from servery.storage.database import Database

KEEP_ALIVE_SECONDS = 75
"""Longer than clients keep idle connections, so that it is they who close them."""
log = structlog.get_logger("servery.server")

LAST_SECONDS = 1
"""After the time to drain: how long cancelled requests may take to say so."""


Ready = Callable[[str, str | None, Settings], None]
"""Is told the server's address, the admin key if it was made just now, and the settings with the real ports."""


def serve(settings: Settings, routes: Iterable[Route] = (), ready: Ready | None = None) -> None:
    """Serve the models of a data home until SIGTERM or Ctrl-C; requests under way are finished.

    Args:
        settings: Where to listen, with how many workers, and every bound.
        routes: More routes, e.g. pages.
        ready: Called once, when every worker listens. Of a port that is not served the setting is None.

    Raises:
        ConflictError: A port is taken, or the address is one that others can reach and nobody allowed that.
        StorageError: The data home cannot be used.
    """
    _configure_logs()
    if settings.workers > 1 and not hasattr(os, "fork"):
        raise ServeryError("This system cannot fork, so there is one worker only.", hint="SERVERY_WORKERS=1")
    every_route = list(routes)
    with ports.held(settings) as held:
        new_key = _prepare(held)
        own = held.model_copy(update={"threads": threads_of(held)})

        def is_up(addresses: Addresses) -> None:
            if ready is not None:
                ready(address(held), new_key, _told(held, addresses))

        if held.workers == 1:
            _work(own, every_route, Worker(), is_up)
        else:
            _quiet_garbage_collection()  # before the fork: a page that the collector writes to is shared no more
            Workers(own, lambda worker, line: _work(own, every_route, worker, line.tell, line), is_up).run()


def threads_of(settings: Settings) -> int:
    """Return how many threads one model of one worker may use, so that the workers together fit on the cores.

    >>> threads_of(Settings(threads=1, workers=8))
    1
    """
    return max(1, min(settings.threads, _cores() // settings.workers))


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _prepare(settings: Settings) -> str | None:
    """Bring the data home up to date before any worker opens it; return the admin key if it is new."""
    settings.home.mkdir(parents=True, exist_ok=True)
    database = Database.open(settings.database_url)
    try:
        return Keys(database, settings.home / "pepper.key").ensure_admin_key(settings.admin_key_file)
    finally:
        database.close()


def _told(settings: Settings, addresses: Addresses) -> Settings:
    absent = {one.port_setting: None for one in listeners() if one.name not in addresses}
    return settings.model_copy(update=absent)


def _work(
    settings: Settings,
    routes: Sequence[Route],
    worker: Worker,
    is_up: Callable[[Addresses], None],
    lifeline: Lifeline | None = None,
) -> None:
    """Answer requests until a signal comes, or the process that watches over this one is gone."""
    database = Database.open(settings.database_url)
    try:
        registry = Registry(database, settings.artifacts)
        keys = Keys(database, settings.home / "pepper.key")
        gateway = build_app(settings, Engine(registry, settings), keys, routes, worker)
        with ports.listening(settings.host, settings.port) as listener:
            Server(gateway, is_up, lifeline).run(sockets=[listener])
    finally:
        database.close()


class Server(uvicorn.Server):
    """uvicorn with our edge, and a stop that refuses new requests at once but finishes those under way.

    Args:
        gateway: The application.
        is_up: Called once, when it listens, with the addresses besides HTTP.
        lifeline: When this is cut, the server stops.
    """

    def __init__(
        self, gateway: Gateway, is_up: Callable[[Addresses], None], lifeline: Lifeline | None = None
    ) -> None:
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
        self._lifeline = lifeline
        self._listeners: list[Listener] = []

    async def startup(self, sockets: Sequence[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        _quiet_garbage_collection()
        await super().startup(list(sockets or []))
        if not self.started:
            return
        try:
            addresses = await self._start_listeners()
        except BaseException:
            await self.shutdown(sockets)
            raise
        if self._lifeline is not None:
            loop = asyncio.get_running_loop()
            loop.add_reader(self._lifeline.fileno(), self._lose_lifeline)
        self._is_up(addresses)

    async def _start_listeners(self) -> Addresses:
        addresses = {}
        for listener in listeners():
            if getattr(self._gateway.settings, listener.port_setting) is not None:
                listening_at = await listener.start(self._gateway, self._gateway.settings)
                if listening_at is not None:
                    self._listeners.append(listener)
                    addresses[listener.name] = listening_at
        return addresses

    def _lose_lifeline(self) -> None:
        assert self._lifeline is not None
        asyncio.get_running_loop().remove_reader(self._lifeline.fileno())
        self.handle_exit(signal.SIGTERM, None)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain; a second signal ends it now."""
        self._gateway.is_draining = True
        self.force_exit = self.should_exit
        self.should_exit = True

    async def shutdown(self, sockets: Sequence[socket.socket] | None = None) -> None:
        """Finish what is under way, still answering health probes; then close."""
        self._gateway.is_draining = True
        loop = asyncio.get_running_loop()
        grace_seconds = self._gateway.settings.drain_seconds
        end = loop.time() + grace_seconds
        stops = asyncio.gather(*(listener.stop(grace_seconds) for listener in self._listeners))
        while self._gateway.in_flight and loop.time() < end and not self.force_exit:
            await asyncio.sleep(0.02)
        try:
            left = 0 if self.force_exit else end - loop.time()
            await asyncio.wait_for(stops, max(LAST_SECONDS, left))
        except TimeoutError:
            log.warning("a port was closed before its requests were answered")
        await super().shutdown(list(sockets or []))

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle the signals, and do not raise them again at the end: a stop that was asked for is no failure."""
        with super().capture_signals():
            if self._lifeline is not None:
                # Ctrl-C reaches every process of a terminal; the one that watches passes it on, once.
                signal.signal(signal.SIGINT, signal.SIG_IGN)
            yield
            self._captured_signals.clear()


def _quiet_garbage_collection() -> None:
    """Keep the collector from walking everything that was imported, again and again, while requests wait.

    With the defaults a full collection came every few thousand requests and held all of them up for 50 ms.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)


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
