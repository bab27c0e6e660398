"""Which versions are loaded and which of them answers to which id; swaps them without losing a request."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from time import perf_counter

import structlog

from servery.errors import InputError, ModelLoadError, ModelNotFoundError, NotFoundError
from servery.registry.registry import PRODUCTION, Registry
from servery.registry.version import Version
from servery.schemas import ReplicaStatus
from servery.serving.loading import import_libraries
from servery.serving.replica import Replica
from servery.serving.residency import Event, Residency
from servery.settings import Settings

POLL_SECONDS = 0.2
"""How often the registry is asked whether anything changed."""
IDLE_SECONDS = 600.0
"""How long a version that was asked for by its number, and that no alias names, stays loaded unused."""
WARMED_AT_ONCE = 2
"""Fewer than are loaded at once altogether, so that a request for another version need not wait for them."""

log = structlog.get_logger("servery.engine")


class Engine:
    """The loaded versions of one process.

    Ids (`name`, `name@3`, `name@alias`) are looked up in memory; the registry is asked in the background. When an
    id comes to mean another version, that version is loaded and warmed first, and only then gets the requests;
    those under way finish on the old one, which is then unloaded. A version that cannot be loaded leaves the old
    one answering. Versions with an alias are warmed as far as memory goes; the others are loaded on demand.

    Args:
        registry: Versions and aliases.
        settings: Bounds and threads.
    """

    def __init__(self, registry: Registry, settings: Settings) -> None:
        self.registry = registry
        self.settings = settings
        self.is_ready = False
        """Whether every version with an alias was brought up as far as memory goes, or failed to."""
        self.residency = Residency(registry, settings)
        self.residency.on(Event.WITHDRAWN, self._withdraw)
        self._revision = -1
        self._routes: dict[str, Replica] = {}
        self._aliased: dict[str, Version] = {}
        """By their own references, the versions that an alias meant when the registry was last read."""
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
        for task in (self._poller, self._swapping):
            if task is not None:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        await self.residency.stop()
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
            replica = await self.residency.replica(await self.version(reference))
            # If something changed meanwhile, the id may mean another version by now.
            if revision == self._revision and self.residency.offers(replica):
                return self._routes.setdefault(reference, replica)

    def loaded(self, reference: str) -> Replica | None:
        """Return the replica that answers to an id now, or None; loads nothing."""
        return self._routes.get(reference)

    async def version(self, reference: str) -> Version:
        """Return the version an id means in the registry now.

        Raises:
            ModelNotFoundError: None is meant by it.
        """
        try:
            version = await asyncio.to_thread(self.registry.resolve, reference)
        except (InputError, NotFoundError) as error:
            message = f"There is no model {reference[:300]!r}."
            raise ModelNotFoundError(
                error.message if isinstance(error, ModelNotFoundError) else message,
                hint="GET /v1/models lists the models.",
                param="model",
            ) from error
        if version.is_unloaded:
            raise ModelNotFoundError(
                f"The model {version.name} is unloaded.",
                hint=f"An operator loads it: POST /v2/repository/models/{version.name}/load",
                param="model",
            )
        return version

    async def refresh(self) -> None:
        """Bring the ids in line with the registry; returns when every swap is done or has failed."""
        await self.notice()
        if self._swapping is not None:
            await asyncio.shield(self._swapping)

    def state(self, version: Version) -> str:
        """Return "ready", "loading", "failed" or "cold"."""
        if self.residency.holds(version.reference):
            return "ready"
        if version.reference in self.residency.loading:
            return "loading"
        return "failed" if version.reference in self.residency.failures else "cold"

    def status(self) -> list[ReplicaStatus]:
        """Return what every loaded, loading, draining, failed or aliased version is doing, by reference."""
        answers_to: dict[Replica, list[str]] = {replica: [] for replica in self.residency.replicas()}
        for reference, replica in self._routes.items():
            answers_to[replica].append(reference)
        rows = {r.version.reference: r.status(references) for r, references in answers_to.items()}
        for reference, loading in self.residency.loading.items():
            memory_bytes = loading.version.size_bytes
            rows.setdefault(reference, ReplicaStatus(reference, "loading", memory_bytes=memory_bytes))
        for reference, failure in self.residency.failures.items():
            rows.setdefault(reference, ReplicaStatus(reference, "failed", reason=failure.reason))
        for reference in self._aliased:
            rows.setdefault(reference, ReplicaStatus(reference, "cold"))
        return sorted(rows.values(), key=lambda row: row.reference)

    async def _follow(self) -> None:
        while True:
            try:
                await self.notice()
            except Exception as error:  # whatever a driver raises: what is loaded goes on answering meanwhile
                log.warning("registry unreachable", error=type(error).__name__)
            self._unload_idle()
            self.residency.sweep()
            await asyncio.sleep(POLL_SECONDS)

    async def notice(self) -> None:
        """See now whether the registry or its keys have changed, and begin to follow."""
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
            meant = await asyncio.to_thread(self._meanings)
        except Exception as error:  # as above
            self._revision = -1  # so that the next poll tries again
            log.warning("registry unreachable", error=type(error).__name__)
            return
        aliased = {id_: version for id_, version in meant.items() if _is_alias(id_, version)}
        self._aliased = {version.reference: version for version in aliased.values()}
        routed = {meant[id_].reference for id_ in self._routes if id_ in meant}
        self.residency.forget_failures(keep={*routed, *self._aliased})
        await asyncio.gather(*(self._keep_up(id_, meant.get(id_)) for id_ in list(self._routes)))
        slots = asyncio.Semaphore(WARMED_AT_ONCE)
        await asyncio.gather(*(self._warm(id_, version, slots) for id_, version in aliased.items()))
        self.is_ready = True

    def _meanings(self) -> dict[str, Version]:
        """Return every id and the version it means."""
        meant = {}
        for version in self.registry.versions():
            if version.is_unloaded:
                continue
            meant[version.reference] = version
            meant.update({f"{version.name}@{alias}": version for alias in version.aliases})
            named = meant.get(version.name)
            if named is None or PRODUCTION not in named.aliases:  # else the newest, which comes last
                meant[version.name] = version
        return meant

    async def _keep_up(self, reference: str, version: Version | None) -> None:
        """Let an id that is answered by some version be answered by the one it means now."""
        current = self._routes.get(reference)
        if current is None or (version is not None and current.version.reference == version.reference):
            return
        try:
            version = await self.version(reference)  # it may have moved again since all were read
        except ModelNotFoundError:
            self._move(reference, None)
            return
        if current.version.reference != version.reference:
            # Why it failed is logged where it was loaded; the old version goes on answering.
            with suppress(ModelLoadError):
                self._move(reference, await self.residency.replica(version, instead_of=current))

    async def _warm(self, reference: str, version: Version, slots: asyncio.Semaphore) -> None:
        """Load the version an alias means before anyone asks, if there is room."""
        async with slots:
            if reference not in self._routes:
                with suppress(ModelLoadError):
                    replica = await self.residency.warm(version)
                    if replica is not None and self.residency.offers(replica):
                        self._routes.setdefault(reference, replica)
                    elif not self.is_ready:
                        # Now nobody waits for the event loop; when a request loads it, others do.
                        await asyncio.to_thread(import_libraries, version)

    def _move(self, reference: str, replica: Replica | None) -> None:
        old = self._routes.pop(reference, None)
        if replica is not None:
            self._routes[reference] = replica
        if old is not None and old not in self._routes.values():
            old.retire()
            self.residency.sweep()

    def _withdraw(self, replica: Replica) -> None:
        for reference, answering in list(self._routes.items()):
            if answering is replica:
                del self._routes[reference]

    def _unload_idle(self) -> None:
        now = perf_counter()
        idle = [pair for pair in self._routes.items() if now - pair[1].last_used > IDLE_SECONDS]
        for reference, replica in idle:
            is_pinned = reference == replica.version.reference
            if is_pinned and sum(other is replica for other in self._routes.values()) == 1:
                self._move(reference, None)


def _is_alias(reference: str, version: Version) -> bool:
    # The name alone, too: it must stay with the old version when a new one fails.
    alias = reference.partition("@")[2] or PRODUCTION
    return alias in version.aliases
