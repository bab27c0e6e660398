"""The jobs that wait for a model, in an order that gives every key its share however many jobs another has."""

from __future__ import annotations

import asyncio
import heapq
import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

from servery.tasks.form import Example
from servery.tasks.task import Parameters

SMALL = 32
"""Sizes below this count as alike."""
CANDIDATES = 256
"""How many of the jobs next in turn are looked at to find those of like sizes."""


class Job:
    """Part of a request that fits into one batch; compared by identity.

    Attributes:
        examples: Its inputs.
        rows: How many.
        size: How much work the largest of them is.
        parameters: What is asked of the prediction.
        deadline: On the monotonic clock; it never begins later.
        future: Gets the answer, on the event loop.
        queued_at: On the monotonic clock.
    """

    __slots__ = ("deadline", "examples", "future", "line", "parameters", "queued_at", "rows", "size")

    def __init__(
        self,
        examples: Sequence[Example],
        size: int,
        parameters: Parameters,
        deadline: float,
        future: asyncio.Future[Any],
    ) -> None:
        self.examples = examples
        self.rows = len(examples)
        self.size = size
        self.parameters = parameters
        self.deadline = deadline
        self.future = future
        self.queued_at = time.monotonic()
        self.line: Line | None = None


class Line:
    """The waiting jobs of one owner, oldest first, and how much it has been given.

    Attributes:
        start: Virtual time at which its next job may begin: rows it was given, divided by its weight.
    """

    __slots__ = ("jobs", "owner", "rows", "start", "weight")

    def __init__(self, owner: str, weight: float, start: float) -> None:
        self.owner = owner
        self.weight = weight
        self.start = start
        self.rows = 0
        self.jobs: dict[Job, None] = {}  # ordered by arrival, and cheap to leave from the middle


class FairQueue:
    """Start-time fair queueing: of all owners, the one that was given least for its weight is next.

    An owner that comes back is neither paid for the time it was away nor forgiven what it was given just before.

    Source: Goyal, Vin, Cheng (1996), Start-time fair queueing, section 2.
    """

    def __init__(self) -> None:
        self.rows = 0
        self._now = 0.0
        self._lines: dict[str, Line] = {}
        self._weights = 0.0
        self._left: dict[str, float] = {}  # owners without jobs that were given more than their share by now

    def put(self, job: Job, owner: str, weight: float) -> None:
        """Add a job at the end of its owner's line."""
        line = self._lines.get(owner)
        if line is None:
            line = Line(owner, weight, max(self._left.pop(owner, 0.0), self._now))
            self._lines[owner] = line
            self._weights += weight
        elif line.weight != weight:
            self._weights += weight - line.weight
            line.weight = weight
        line.jobs[job] = None
        line.rows += job.rows
        self.rows += job.rows
        job.line = line

    def remove(self, job: Job) -> bool:
        """Take a job out, wherever it stands; return whether it was still waiting."""
        line = job.line
        if line is None:
            return False
        job.line = None
        del line.jobs[job]
        line.rows -= job.rows
        self.rows -= job.rows
        if not line.jobs:
            self._end(line)
        return True

    def take(self, max_rows: int, now: float, *, by_size: bool = False) -> tuple[list[Job], list[Job]]:
        """Take the next batch out.

        Args:
            max_rows: Most rows of it; a larger job comes alone.
            now: On the monotonic clock.
            by_size: Whether sizes matter: then the job next in turn is joined by those most like it, from half of
                its size to double.

        Returns:
            The batch, and the jobs met on the way that were cancelled or are past their deadline.
        """
        batch: list[Job] = []
        gone: list[Job] = []
        rows = 0
        for job in self._in_turn():
            if job.deadline <= now or job.future.done():
                gone.append(job)
                continue
            if by_size:
                if len(batch) == CANDIDATES:
                    break
            elif batch and rows + job.rows > max_rows:
                break
            batch.append(job)
            rows += job.rows
        if by_size:
            batch = _like_sizes(batch, max_rows)
        for job in batch:
            self._give(job)
        for job in gone:
            self.remove(job)
        return batch, gone

    def next_deadline(self, now: float) -> float:
        """Return the deadline of the job next in turn that can still be kept; infinite where nobody has one."""
        return next((job.deadline for job in self._in_turn() if job.deadline > now), math.inf)

    def rows_before(self, rows: int, owner: str, weight: float) -> float:
        """Return how many rows are given until `rows` more of this owner would be, these included."""
        line = self._lines.get(owner)
        own, weights = rows, self._weights + weight
        if line is not None:
            own, weights = rows + line.rows, self._weights
        return min(self.rows + rows, own * weights / weight)

    def crowding(self, excess: int, rows: int, owner: str, weight: float) -> list[Job]:
        """Return the newest jobs of the owner with most waiting for its weight, to give up for another's.

        Args:
            excess: Rows that must go at least.
            rows: Rows of the newcomer.
            owner: The newcomer.
            weight: Its weight.

        Returns:
            Nothing where that would leave the crowding owner with less than the newcomer has.

        Source: Suter, Lakshman, Stiliadis, Choudhury (1999), Buffer management schemes for supporting TCP in
        gigabit routers with per-flow queueing, longest queue drop.
        """
        own = self._lines.get(owner)
        if own is not None and len(self._lines) == 1:
            return []
        longest = max(self._lines.values(), key=lambda line: line.rows / line.weight)
        found, freed = [], 0
        for job in reversed(longest.jobs):
            if freed >= excess:
                break
            found.append(job)
            freed += job.rows
        share = (rows + (own.rows if own is not None else 0)) / weight
        is_fair = longest is not own and (longest.rows - freed) / longest.weight >= share
        return found if is_fair and freed >= excess else []

    def _in_turn(self) -> Iterator[Job]:
        if len(self._lines) == 1:
            yield from next(iter(self._lines.values())).jobs
            return
        lines = enumerate(self._lines.values())
        turns = [(line.start, number, line, iter(line.jobs)) for number, line in lines]
        heapq.heapify(turns)
        while turns:
            start, number, line, jobs = turns[0]
            job = next(jobs, None)
            if job is None:
                heapq.heappop(turns)
                continue
            yield job
            heapq.heapreplace(turns, (start + job.rows / line.weight, number, line, jobs))

    def _give(self, job: Job) -> None:
        line = job.line
        assert line is not None
        self._now = max(self._now, line.start)
        line.start += job.rows / line.weight
        self.remove(job)

    def _end(self, line: Line) -> None:
        del self._lines[line.owner]
        self._weights -= line.weight
        if not self._lines:
            # Nobody waits: nobody can be given too little. This also keeps the numbers small.
            self._now = self._weights = 0.0
            self._left.clear()
        elif line.start > self._now:
            self._left[line.owner] = line.start
            if len(self._left) > 2 * len(self._lines) + CANDIDATES:
                self._left = {owner: start for owner, start in self._left.items() if start > self._now}


def _like_sizes(jobs: list[Job], max_rows: int) -> list[Job]:
    """Return the first job and those nearest to it in size: from half of it to double."""
    if len(jobs) < 2:
        return jobs
    size = max(jobs[0].size, SMALL)
    batch, rows = [jobs[0]], jobs[0].rows
    for job in sorted(jobs[1:], key=lambda job: abs(max(job.size, SMALL) - size)):
        if rows + job.rows > max_rows or not size / 2 <= max(job.size, SMALL) <= size * 2:
            break
        batch.append(job)
        rows += job.rows
    return batch
