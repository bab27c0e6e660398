"""Runs the jobs of one server process, and removes those whose time is over."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from servery.errors import ServeryError
from servery.serving.engine import Engine
from servery.serving.jobs.accounts import Accounts
from servery.serving.jobs.files import JobFiles
from servery.serving.jobs.run import Run
from servery.serving.jobs.store import JobStore
from servery.settings import Settings

POLL_SECONDS = 0.5
"""How often a process that has nothing to do looks for jobs of others."""
SWEEP_SECONDS = 60.0

log = structlog.get_logger("servery.jobs")


class JobRunner:
    """Takes jobs from the queue, a few at a time, until it is stopped.

    Args:
        engine: The models.
        store: The queue.
        files: The jobs' folders.
        accounts: The keys.
        settings: Bounds.
    """

    def __init__(
        self, engine: Engine, store: JobStore, files: JobFiles, accounts: Accounts, settings: Settings
    ) -> None:
        self._engine = engine
        self._store = store
        self._files = files
        self._accounts = accounts
        self._settings = settings
        self._tasks: list[asyncio.Task[None]] = []
        self._news = asyncio.Event()

    async def start(self) -> None:
        """Begin to take jobs."""
        self._tasks = [asyncio.create_task(self._work()) for _ in range(self._settings.jobs_at_once)]
        self._tasks.append(asyncio.create_task(self._tidy()))

    async def stop(self) -> None:
        """Put back what runs here; another process, or the next one, goes on with it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    def wake(self) -> None:
        """Tell of a new job, so that it need not wait for the next look."""
        self._news.set()

    async def _work(self) -> None:
        while True:
            self._news.clear()
            try:
                job = await asyncio.to_thread(self._store.claim)
                if job is not None:
                    await Run(
                        job, self._engine, self._store, self._files, self._accounts, self._settings
                    ).go()
                    continue
            except ServeryError as error:
                # The database is away: what ran here is taken up again when its lease has ended.
                log.warning("jobs cannot be reached", error=error.code)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), POLL_SECONDS)

    async def _tidy(self) -> None:
        while True:
            try:
                await asyncio.to_thread(sweep, self._store, self._files)
            except ServeryError as error:
                log.warning("old jobs cannot be removed", error=error.code)
            await asyncio.sleep(SWEEP_SECONDS)


def sweep(store: JobStore, files: JobFiles) -> int:
    """Remove the jobs whose time is over, and the folders of uploads that died; return how many."""
    expired = store.expired()
    for token in expired:
        store.remove(token)
        files.remove(token)
    return len(expired) + files.sweep(store.tokens())
