"""Which versions are in memory: each is loaded once, when it is needed, and goes when another needs its room more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from enum import Enum, auto
from time import perf_counter

import structlog

from servery.errors import ModelLoadError, ServeryError
from servery.registry.registry import Registry
from servery.registry.version import Version
from servery.serving.greedy_dual import GreedyDual
from servery.serving.memory import MB, memory_limit_bytes
from servery.serving.replica import Replica
from servery.settings import Settings

LOADS_AT_ONCE = 3
RETRY_SECONDS = 10.0
"""How long a version that failed to load is left alone before a request may try it again."""
PATIENCE_SECONDS = 0.5
"""How long a load waits for others to fall idle before the least worthy of the busy ones is made to finish."""
ARRIVAL_SECONDS = 1.0
"""How long a version that was just loaded is safe: those it was loaded for are about to use it."""
POLL_SECONDS = 0.02

log = structlog.get_logger("servery.residency")

Listener = Callable[[Replica], None]


class Event(Enum):
    """What happens to a replica.

    Attributes:
        LOADED: It is in memory and can answer.
        WITHDRAWN: It must get no new requests, for another needs its room.
        EVICTED: It goes as soon as the last request has let go of it.
        CLOSED: It is gone from memory.
    """

    LOADED = auto()
    WITHDRAWN = auto()
    EVICTED = auto()
    CLOSED = auto()


@dataclass(frozen=True)
class Failure:
    """Why a version is not in memory: for who asks for it, for the operator, and when that was found."""

    error: ModelLoadError
    reason: str
    at: float


@dataclass(eq=False)
class _Resident:
    replica: Replica
    loaded_at: float
    is_leaving: bool = False

    @property
    def is_free(self) -> bool:
        """Whether it can go at once: nobody uses it, and those it was loaded for have come."""
        is_arriving = not self.replica.uses and perf_counter() - self.loaded_at < ARRIVAL_SECONDS
        return not self.replica.is_busy and not is_arriving


@dataclass(frozen=True)
class _Loading:
    version: Version
    task: asyncio.Task[Replica | None]
    instead_of: Replica | None


class Residency:
    """The versions in memory, within a bound; `GreedyDual` says which goes first.

    A version that answers requests never goes, nor one whose successor is still loading. When all that is idle does
    not suffice, the least worthy of the busy ones gets no new requests until it has finished: they wait for it to be
    loaded again.

    Args:
        registry: Where versions are checked.
        settings: The bound, and what a model may use.
    """

    def __init__(self, registry: Registry, settings: Settings) -> None:
        self.limit_bytes = memory_limit_bytes(settings)
        self.loading: dict[str, _Loading] = {}
        self.failures: dict[str, Failure] = {}
        self._registry = registry
        self._settings = settings
        self._residents: dict[str, _Resident] = {}
        self._order = GreedyDual()
        self._bytes: dict[str, int] = {}
        """What a version was found to hold, also when it is not in memory now."""
        self._promised: dict[str, int] = {}
        """The room of versions that are being read."""
        self._slots = asyncio.Semaphore(LOADS_AT_ONCE)
        self._making_room = asyncio.Lock()
        self._listeners: dict[Event, list[Listener]] = {event: [] for event in Event}

    def on(self, event: Event, listener: Listener) -> None:
        """Have `listener` called with the replica that something happens to."""
        self._listeners[event].append(listener)

    def replicas(self) -> list[Replica]:
        """Return everything in memory, also what only finishes its last requests."""
        self.sweep()
        return [resident.replica for resident in self._residents.values()]

    def holds(self, reference: str) -> bool:
        """Return whether a version is in memory and answers."""
        resident = self._residents.get(reference)
        return resident is not None and not resident.replica.is_retired

    def offers(self, replica: Replica) -> bool:
        """Return whether a replica may get new requests."""
        resident = self._residents.get(replica.version.reference)
        is_held = resident is not None and resident.replica is replica and not resident.is_leaving
        return is_held and not replica.is_retired

    async def replica(self, version: Version, instead_of: Replica | None = None) -> Replica:
        """Return a version's replica, loaded now if it is not in memory.

        Args:
            version: Which.
            instead_of: A replica that goes when this one is there: until then both are held, beyond the bound if
                need be, so that the old one answers until the new one can.

        Raises:
            ModelLoadError: It cannot be brought up.
        """
        while True:
            replica = await self._replica(version, instead_of, may_evict=True)
            if replica is not None:  # else whoever began to load it only wanted it if there was room
                return replica

    async def warm(self, version: Version) -> Replica | None:
        """Load a version if there is room for it now; else return None.

        Raises:
            ModelLoadError: It cannot be brought up.
        """
        return await self._replica(version, None, may_evict=False)

    def sweep(self) -> None:
        """Forget what is closed."""
        for reference, resident in list(self._residents.items()):
            if resident.replica.is_closed:
                del self._residents[reference]
                self._order.forget(reference)
                self._tell(Event.CLOSED, resident.replica)

    def forget_failures(self, keep: Collection[str]) -> None:
        """Forget why versions could not be loaded, but for these references."""
        self.failures = {name: failure for name, failure in self.failures.items() if name in keep}

    async def stop(self) -> None:
        """End the loads under way."""
        tasks = [loading.task for loading in self.loading.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _replica(
        self, version: Version, instead_of: Replica | None, *, may_evict: bool
    ) -> Replica | None:
        reference = version.reference
        while (resident := self._resident(reference)) is not None:
            if not resident.is_leaving:
                resident.replica.revive()
                return resident.replica
            await asyncio.sleep(POLL_SECONDS)
        failure = self.failures.get(reference)
        if failure is not None and perf_counter() - failure.at < RETRY_SECONDS:
            raise failure.error
        if reference not in self.loading:
            task = asyncio.create_task(self._load(version, instead_of, may_evict=may_evict))
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            self.loading[reference] = _Loading(version, task, instead_of)
        # A client that goes away does not end the loading: others may wait for it.
        return await asyncio.shield(self.loading[reference].task)

    def _resident(self, reference: str) -> _Resident | None:
        self.sweep()
        return self._residents.get(reference)

    async def _load(self, version: Version, instead_of: Replica | None, *, may_evict: bool) -> Replica | None:
        reference = version.reference
        try:
            async with self._slots:
                async with self._making_room:
                    if not await self._make_room(version, instead_of, may_evict=may_evict):
                        return None
                    self._promised[reference] = self._needs(version)
                started = perf_counter()
                replica = await asyncio.to_thread(Replica.load, version, self._registry, self._settings)
                seconds = perf_counter() - started
        except Exception as error:  # a torn model file may make its reader raise anything
            self.failures[reference] = failure = _failure(version, error)
            raise failure.error from error
        finally:
            self._promised.pop(reference, None)
            self.loading.pop(reference, None)
        self.failures.pop(reference, None)
        self._admit(replica, seconds, instead_of)
        return replica

    def _admit(self, replica: Replica, load_seconds: float, instead_of: Replica | None) -> None:
        reference = replica.version.reference
        self._bytes[reference] = replica.memory_bytes
        self._residents[reference] = _Resident(replica, perf_counter())
        self._order.add(reference, replica.load_seconds, replica.memory_bytes)
        log.info("version loaded", model=reference, seconds=round(load_seconds, 3))
        self._tell(Event.LOADED, replica)
        # It may hold more than its files promised.
        while self._excess(0, instead_of) > 0 and (free := self._free(but=(replica, instead_of))):
            self._evict(self._by_priority(free)[0])

    async def _make_room(self, version: Version, instead_of: Replica | None, *, may_evict: bool) -> bool:
        if self.limit_bytes and version.size_bytes > self.limit_bytes:
            raise ModelLoadError(
                f"The files of {version.reference} take {version.size_bytes / MB:.1f} MB, and all models together "
                f"may hold {self.limit_bytes / MB:.1f} MB in one process.",
                hint="Raise SERVERY_MODEL_MEMORY_MB, or serve a smaller variant.",
            )
        try:
            return await self._wait_for_room(self._needs(version), instead_of, may_evict=may_evict)
        finally:
            for resident in self._residents.values():
                resident.is_leaving = False  # those that still have not finished may go on

    async def _wait_for_room(self, needed: int, instead_of: Replica | None, *, may_evict: bool) -> bool:
        patient_until = perf_counter() + PATIENCE_SECONDS
        while (excess := self._excess(needed, instead_of)) > 0:
            if not may_evict:
                return False
            free = self._free()
            if sum(one.replica.memory_bytes for one in free) >= excess:
                self._evict(self._by_priority(free)[0])
                continue
            if perf_counter() > patient_until:
                self._ask_one_to_leave()
            await asyncio.sleep(POLL_SECONDS)
        return True

    def _needs(self, version: Version) -> int:
        # What a process grew by while it loaded a version is an estimate: other requests were under way. So only
        # the files decide that a version is too large; one that seems to hold more is kept alone.
        found = self._bytes.get(version.reference, version.size_bytes)
        return min(found, self.limit_bytes) if self.limit_bytes else found

    def _excess(self, needed: int, instead_of: Replica | None) -> int:
        """Return by how many bytes the bound would be exceeded."""
        if not self.limit_bytes:
            return 0
        held = sum(replica.memory_bytes for replica in self.replicas() if replica is not instead_of)
        return held + sum(self._promised.values()) + needed - self.limit_bytes

    def _free(self, but: Collection[Replica | None] = ()) -> list[_Resident]:
        return [one for one in self._evictable() if one.is_free and one.replica not in but]

    def _evictable(self) -> list[_Resident]:
        answering = [loading.instead_of for loading in self.loading.values()]
        return [one for one in self._residents.values() if one.replica not in answering]

    def _by_priority(self, residents: Collection[_Resident]) -> list[_Resident]:
        by_reference = {one.replica.version.reference: one for one in residents}
        names = self._order.by_priority({name: one.replica.uses for name, one in by_reference.items()})
        ordered = [by_reference[name] for name in names]
        return sorted(ordered, key=lambda one: not one.is_leaving)

    def _evict(self, resident: _Resident) -> None:
        replica = resident.replica
        log.info("version makes room", model=replica.version.reference)
        self._order.remove(replica.version.reference)
        self._tell(Event.WITHDRAWN, replica)
        self._tell(Event.EVICTED, replica)
        replica.retire()
        self.sweep()

    def _ask_one_to_leave(self) -> None:
        others = self._evictable()
        if others and not any(one.is_leaving for one in others):
            least = self._by_priority(others)[0]
            least.is_leaving = True
            self._tell(Event.WITHDRAWN, least.replica)

    def _tell(self, event: Event, replica: Replica) -> None:
        for listener in self._listeners[event]:
            listener(replica)


def _failure(version: Version, error: Exception) -> Failure:
    reason = error.message if isinstance(error, ServeryError) else f"{type(error).__name__}: {error}"
    log.error("version failed to load", model=version.reference, reason=reason)
    told = ModelLoadError(
        f"{version.reference} could not be brought up.", hint="The operator sees the reason with: servery ps"
    )
    return Failure(error if isinstance(error, ModelLoadError) else told, reason, perf_counter())
