"""Which versions are loaded and which of them answers to which id; swaps them without losing a request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from time import perf_counter

import structlog

from servery.errors import InputError, ModelLoadError, ModelNotFoundError, NotFoundError, ServeryError
from servery.registry.registry import PRODUCTION, Registry
from servery.registry.version import Version
from servery.schemas import ReplicaStatus
from servery.serving.replica import Replica
from servery.settings import Settings

POLL_SECONDS = 0.2
"""How often the registry is asked whether anything changed."""
RETRY_SECONDS = 10.0
"""How long a version that failed to load is left alone before a request may try it again."""
IDLE_SECONDS = 600.0
"""How long a version that was asked for by its number, and that no alias names, stays loaded unused."""
LOADS_AT_ONCE = 2

log = structlog.get_logger("servery.engine")


@dataclass(frozen=True)
class _Failure:
    reason: str
    at: float


@dataclass(frozen=True)
class _Loading:
    version: Version
    task: asyncio.Task[Replica]


class Engine:
    """The loaded versions of one process.

    Ids (`name`, `name@3`, `name@alias`) are looked up in memory; the registry is asked in the background. When an
    id comes to mean another version, that version is loaded and warmed first, and only then gets the requests;
    those under way finish on the old one, which is then unloaded. A version that cannot be loaded leaves the old
    one answering.

    Args:
        registry: Versions and aliases.
        settings: Bounds and threads.
    """

    def __init__(self, registry: Registry, settings: Settings) -> None:
        self.registry = registry
        self.settings = settings
        self.is_ready = False
        """Whether every version with an alias was brought up, or failed to."""
        self._revision = -1
        self._routes: dict[str, Replica] = {}
        self._loading: dict[str, _Loading] = {}
        self._failures: dict[str, _Failure] = {}
        self._draining: set[Replica] = set()
        self._loads = asyncio.Semaphore(LOADS_AT_ONCE)
        self._poller: asyncio.Task[None] | None = None
        self._swapping: asyncio.Task[None] | None = None
        self._callbacks: list[Callable[[], None]] = []

    def on_change(self, callback: Callable[[], None]) -> None:
        """Have `callback` called on the event loop as soon as the registry or its keys have changed."""
        self._callbacks.append(callback)

    async def start(self) -> None:
        """Begin to follow the registry; returns at once, `is_ready` tells when the aliased versions are up."""
        self._poller = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Stop following and let the replicas go."""
        loads = [loading.task for loading in self._loading.values()]
        for task in (self._poller, self._swapping, *loads):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError, ServeryError):
                    await task
        for reference in list(self._routes):
            self._move(reference, None)

    async def replica(self, reference: str) -> Replica:
        """Return the replica that answers to an id, loading its version on first use.

        Enter its `lease` before the next `await`, so that a swap does not close it.

        Raises:
            ModelNotFoundError: No version is meant by this id.
            ModelLoadError: Its version cannot be brought up.
        """
        while True:
            found = self._routes.get(reference)
            if found is not None:
                return found
            revision = self._revision
            replica = await self._loaded(await self.version(reference))
            # If something changed meanwhile, the id may mean another version by now.
            if revision == self._revision and not replica.is_retired:
                return self._routes.setdefault(reference, replica)

    async def version(self, reference: str) -> Version:
        """Return the version an id means in the registry now.

        Raises:
            ModelNotFoundError: None is meant by it.
        """
        try:
            return await asyncio.to_thread(self.registry.resolve, reference)
        except (InputError, NotFoundError) as error:
            message = f"There is no model {reference[:300]!r}."
            raise ModelNotFoundError(
                error.message if isinstance(error, ModelNotFoundError) else message,
                hint="GET /v1/models lists the models.",
                param="model",
            ) from error

    async def refresh(self) -> None:
        """Bring the ids in line with the registry; returns when every swap is done or has failed."""
        await self._notice()
        if self._swapping is not None:
            await asyncio.shield(self._swapping)

    def state(self, version: Version) -> str:
        """Return "ready", "loading", "failed" or "cold"."""
        if any(replica.version.reference == version.reference for replica in self._routes.values()):
            return "ready"
        if version.reference in self._loading:
            return "loading"
        return "failed" if version.reference in self._failures else "cold"

    def status(self) -> list[ReplicaStatus]:
        """Return what every loaded, loading, draining or failed version is doing, by reference."""
        answers_to: dict[Replica, list[str]] = {r: [] for r in self._draining if not r.is_closed}
        for reference, replica in self._routes.items():
            answers_to.setdefault(replica, []).append(reference)
        rows = [replica.status(references) for replica, references in answers_to.items()]
        rows += [
            ReplicaStatus(reference=reference, state="loading", memory_bytes=loading.version.size_bytes)
            for reference, loading in self._loading.items()
        ]
        rows += [
            ReplicaStatus(reference=reference, state="failed", reason=failure.reason)
            for reference, failure in self._failures.items()
        ]
        return sorted(rows, key=lambda row: row.reference)

    async def _follow(self) -> None:
        while True:
            try:
                await self._notice()
            except Exception as error:  # whatever a driver raises: what is loaded goes on answering meanwhile
                log.warning("registry unreachable", error=type(error).__name__)
            self._draining = {replica for replica in self._draining if not replica.is_closed}
            self._unload_idle()
            await asyncio.sleep(POLL_SECONDS)

    async def _notice(self) -> None:
        revision = await asyncio.to_thread(self.registry.revision)
        if revision == self._revision:
            return
        self._revision = revision
        for callback in self._callbacks:
            callback()
        # In a task of its own: a slow load must not delay the news of the next change, e.g. a revoked key.
        self._swapping = asyncio.create_task(self._swap(self._swapping))

    async def _swap(self, previous: asyncio.Task[None] | None) -> None:
        if previous is not None:
            await previous
        try:
            aliased = await asyncio.to_thread(self._aliased)
            wanted = dict.fromkeys([*self._routes, *aliased])
            meant = await asyncio.gather(*(self._bring_up(reference) for reference in wanted))
        except Exception as error:  # as above
            self._revision = -1  # so that the next poll tries again
            log.warning("registry unreachable", error=type(error).__name__)
            return
        self._failures = {name: failure for name, failure in self._failures.items() if name in meant}
        self.is_ready = True

    def _aliased(self) -> list[str]:
        ids = []
        for name in self.registry.names():
            aliases = self.registry.aliases(name)
            ids += [f"{name}@{alias}" for alias in aliases]
            # The name alone means the same and must stay with the old version when the new one fails.
            ids += [name] if PRODUCTION in aliases else []
        return ids

    async def _bring_up(self, reference: str) -> str:
        """Let an id be answered by the version it means now; return that version's own reference."""
        try:
            version = await self.version(reference)
        except ModelNotFoundError:
            self._move(reference, None)
            return ""
        current = self._routes.get(reference)
        if current is None or current.version.reference != version.reference:
            # Why it failed is logged where it was loaded; the old version goes on answering.
            with suppress(ModelLoadError):
                self._move(reference, await self._loaded(version))
        return version.reference

    def _move(self, reference: str, replica: Replica | None) -> None:
        old = self._routes.pop(reference, None)
        if replica is not None:
            self._routes[reference] = replica
        if old is not None and old not in self._routes.values():
            self._draining.add(old)
            old.retire()

    def _unload_idle(self) -> None:
        now = perf_counter()
        for reference, replica in list(self._routes.items()):
            is_pinned = reference == replica.version.reference
            is_shared = sum(other is replica for other in self._routes.values()) > 1
            if is_pinned and not is_shared and now - replica.last_used > IDLE_SECONDS:
                self._move(reference, None)

    async def _loaded(self, version: Version) -> Replica:
        for replica in self._routes.values():
            if replica.version.reference == version.reference:
                return replica
        failure = self._failures.get(version.reference)
        if failure is not None and perf_counter() - failure.at < RETRY_SECONDS:
            raise _load_error(version)
        if version.reference not in self._loading:
            task = asyncio.create_task(self._load(version))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._loading[version.reference] = _Loading(version, task)
        # A client that goes away does not end the loading: others may wait for it.
        return await asyncio.shield(self._loading[version.reference].task)

    async def _load(self, version: Version) -> Replica:
        started = perf_counter()
        try:
            async with self._loads:
                replica = await asyncio.to_thread(Replica.load, version, self.registry, self.settings)
        except Exception as error:  # a torn model file may make its reader raise anything
            reason = error.message if isinstance(error, ServeryError) else f"{type(error).__name__}: {error}"
            self._failures[version.reference] = _Failure(reason, perf_counter())
            log.error("version failed to load", model=version.reference, reason=reason)
            raise _load_error(version) from error
        finally:
            self._loading.pop(version.reference, None)
        self._failures.pop(version.reference, None)
        log.info("version loaded", model=version.reference, seconds=round(perf_counter() - started, 3))
        return replica


def _load_error(version: Version) -> ModelLoadError:
    return ModelLoadError(
        f"{version.reference} could not be brought up.", hint="The operator sees the reason with: servery ps"
    )
