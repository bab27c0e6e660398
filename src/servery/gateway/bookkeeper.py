"""Writes usage and the blocks of quotas in the background: one transaction at a time, off the request path."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import structlog

from servery.errors import NotReadyError, ServeryError
from servery.gateway.quota import Quota
from servery.registry.bookkeeping import Batch, Bookkeeping
from servery.registry.quotas import Claim
from servery.registry.usage import Used
from servery.registry.window import window_at
from servery.storage.clock import utc_now

FLUSH_SECONDS = 0.25
"""Longest wait of something to be written; with the write itself well under a second."""
RETRY_SECONDS = 0.25
"""Pause before a batch that could not be written is tried again."""
PATIENCE_SECONDS = 5.0
"""How long a request waits for its quota to be booked before it is told to come back."""
LAST_SECONDS = 5.0
"""How long a server that stops goes on trying to write."""

log = structlog.get_logger("servery.ledger")


@dataclass(frozen=True)
class _Work:
    """One batch, whose claims they are, and who waits for it."""

    batch: Batch
    claims: list[tuple[Quota, Claim]]
    done: asyncio.Future[bool] | None


class Bookkeeper:
    """What this process has to write, and the task that writes it.

    Everything but the write itself happens on the event loop, so that no lock is needed. The task begins with the
    first thing to write; an idle server writes nothing.

    Args:
        bookkeeping: Writes a batch.
        clock: The time in seconds since 1970.
    """

    def __init__(self, bookkeeping: Bookkeeping, clock: Callable[[], float] = time.time) -> None:
        self._bookkeeping = bookkeeping
        self._clock = clock
        self._hour = window_at("hour", clock())
        self._used: dict[tuple[str, str, str, str], list[float]] = {}
        self._noted: list[Quota] = []
        self._done: asyncio.Future[bool] | None = None
        self._has_work = asyncio.Event()
        self._is_urgent = asyncio.Event()
        self._is_failing = False
        self._stops_at: float | None = None
        self._task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, "servery-ledger")

    def book(self, key_id: str, model: str, unit: str, units: int, compute_seconds: float) -> None:
        """Note what a key used of a model."""
        now = self._clock()
        hour = self._hour
        if not hour.begins_at <= now < hour.ends_at:
            self._hour = hour = window_at("hour", now)
        place = key_id, model, unit, hour.start
        entry = self._used.get(place)
        if entry is None:
            self._used[place] = entry = [0, 0, 0.0]
            self._wake()
        entry[0] += 1
        entry[1] += units
        entry[2] += compute_seconds

    def note(self, quota: Quota) -> None:
        """Ask a quota for its claim when the next batch is made."""
        self._noted.append(quota)
        self._wake()

    async def next_write(self) -> None:
        """Wait until everything that is noted by now is written.

        Raises:
            NotReadyError: The database does not take it at the moment; it is tried again.
        """
        if self._is_failing:
            raise _unwritten()
        if self._done is None:
            self._done = asyncio.get_running_loop().create_future()
        self._is_urgent.set()
        self._wake()
        try:
            is_written = await asyncio.wait_for(asyncio.shield(self._done), PATIENCE_SECONDS)
        except TimeoutError as error:
            raise _unwritten() from error
        if not is_written:
            raise _unwritten()

    async def stop(self) -> None:
        """Write what is left and return every block."""
        if self._task is not None:
            self._stops_at = time.monotonic() + LAST_SECONDS
            self._is_urgent.set()
            self._has_work.set()
            await self._task
            with suppress(ServeryError):
                await asyncio.get_running_loop().run_in_executor(self._thread, self._bookkeeping.close)
        self._thread.shutdown(wait=False)

    def _wake(self) -> None:
        self._has_work.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def _work(self) -> None:
        while not self._is_finished():
            await self._has_work.wait()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._is_urgent.wait(), FLUSH_SECONDS)
            self._has_work.clear()
            self._is_urgent.clear()
            work = self._collected()
            is_written = await self._write(work)
            _tell(work.done, is_written)
            for quota, _ in work.claims:
                quota.note_if_held()

    def _is_finished(self) -> bool:
        return self._stops_at is not None and not (self._used or self._noted)

    def _collected(self) -> _Work:
        used, self._used = self._used, {}
        noted, self._noted = self._noted, []
        done, self._done = self._done, None
        claims = []
        for quota in noted:
            if self._stops_at is not None:
                quota.retire()
            claim = quota.claim()
            if claim is not None:
                claims.append((quota, claim))
            else:
                quota.note_if_held()
        rows = [Used(*place, int(sums[0]), int(sums[1]), sums[2]) for place, sums in used.items()]
        moment = utc_now()
        batch = Batch(rows, [claim for _, claim in claims], {row.key_id: moment for row in rows})
        return _Work(batch, claims, done)

    async def _write(self, work: _Work) -> bool:
        """Write a batch, again and again; return False if a stop came before it succeeded."""
        batch = work.batch
        if not (batch.used or batch.claims):
            return True
        while True:
            try:
                grants = await asyncio.get_running_loop().run_in_executor(
                    self._thread, self._bookkeeping.write, batch
                )
            except Exception as error:  # whatever a driver raises: the batch must not be lost
                self._fail(work, error)
                if self._stops_at is not None and time.monotonic() > self._stops_at:
                    log.error(
                        "usage lost", rows=len(batch.used), requests=sum(r.requests for r in batch.used)
                    )
                    return False
                await asyncio.sleep(RETRY_SECONDS)
            else:
                self._is_failing = False
                for (quota, claim), grant in zip(work.claims, grants, strict=True):
                    quota.accept(claim, grant)
                return True

    def _fail(self, work: _Work, error: Exception) -> None:
        if not self._is_failing:
            log.warning("usage cannot be written", error=type(error).__name__, reason=str(error))
        self._is_failing = True
        _tell(work.done, False)


def _tell(done: asyncio.Future[bool] | None, is_written: bool) -> None:
    if done is not None and not done.done():
        done.set_result(is_written)


def _unwritten() -> NotReadyError:
    return NotReadyError("Quotas cannot be checked at the moment.", hint="Send it again in a second.")
