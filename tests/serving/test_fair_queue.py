"""The fair queue: every key gets its share, however many jobs another has."""

from __future__ import annotations

import asyncio
import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from servery.serving.fair_queue import FairQueue, Job
from servery.tasks.classification import ClassificationParameters

ALL = ClassificationParameters()


class Rows:
    """Puts jobs of so many rows into a queue, and takes them out."""

    def __init__(self) -> None:
        self.queue = FairQueue()
        self.loop = asyncio.new_event_loop()

    def put(
        self, owner: str, rows: int = 1, weight: float = 1.0, size: int = 1, until: float = math.inf
    ) -> Job:
        job = Job([{}] * rows, size, ALL, until, self.loop.create_future())
        self.queue.put(job, owner, weight)
        return job

    def take(self, rows: int = 1, now: float = 0.0, *, by_size: bool = False) -> list[str]:
        owners = {id(job): line.owner for line in self.queue._lines.values() for job in line.jobs}
        batch, _ = self.queue.take(rows, now, by_size=by_size)
        return [owners[id(job)] for job in batch]

    def close(self) -> None:
        self.loop.close()


def test_jobs_of_one_owner_come_out_in_the_order_they_came() -> None:
    rows = Rows()
    jobs = [rows.put("a") for _ in range(10)]
    assert [rows.queue.take(3, 0.0)[0] for _ in range(4)] == [jobs[:3], jobs[3:6], jobs[6:9], jobs[9:]]
    assert rows.queue.rows == 0
    rows.close()


def test_a_flood_of_one_owner_does_not_make_another_wait() -> None:
    rows = Rows()
    for _ in range(1000):
        rows.put("flood")
    rows.take(64)
    rows.put("quiet")
    assert "quiet" in rows.take(2)
    rows.close()


def test_owners_are_given_rows_in_proportion_to_their_weights() -> None:
    rows = Rows()
    for _ in range(400):
        rows.put("heavy", weight=3.0)
        rows.put("light")
    given_rows = Counter(rows.take(200))
    assert abs(given_rows["heavy"] - 150) <= 2
    rows.close()


def test_large_jobs_count_by_their_rows() -> None:
    rows = Rows()
    for _ in range(50):
        rows.put("large", rows=8)
    for _ in range(400):
        rows.put("small")
    given_jobs: Counter[str] = Counter()
    for _ in range(30):
        given_jobs.update(rows.take(8))
    assert abs(given_jobs["large"] * 8 - given_jobs["small"]) <= 16
    rows.close()


def test_who_was_away_is_not_paid_for_it() -> None:
    rows = Rows()
    for _ in range(300):
        rows.put("a")
    rows.take(200)
    for _ in range(100):
        rows.put("b")
    assert abs(Counter(rows.take(50))["b"] - 25) <= 1
    rows.close()


def test_who_leaves_and_comes_back_at_once_is_not_forgiven_what_it_was_given() -> None:
    rows = Rows()
    for _ in range(500):
        rows.put("steady")
    given_rows: Counter[str] = Counter()
    for _ in range(20):
        rows.put("hopper", rows=16)
        for _ in range(2):
            batch = rows.take(16)
            given_rows.update(
                {owner: 16 if owner == "hopper" else 1 for owner in batch[:1]}
                if batch[0] == "hopper"
                else batch
            )
    assert given_rows["steady"] >= given_rows["hopper"] - 32
    rows.close()


@given(
    weights=st.lists(st.sampled_from([0.5, 1.0, 2.0, 5.0]), min_size=2, max_size=4),
    sizes=st.lists(st.integers(1, 8), min_size=4, max_size=4),
    batches=st.lists(st.integers(1, 16), min_size=1, max_size=30),
)
def test_of_two_that_always_wait_neither_gets_ahead_by_more_than_a_job_each(
    weights: list[float], sizes: list[int], batches: list[int]
) -> None:
    # Theorem 1 of Goyal, Vin, Cheng (1996): |W_a / w_a - W_b / w_b| <= l_a / w_a + l_b / w_b.
    rows = Rows()
    for number, weight in enumerate(weights):
        for _ in range(600):
            rows.put(str(number), rows=sizes[number], weight=weight)
    given_rows = Counter({str(number): 0 for number in range(len(weights))})
    for most in batches:
        for owner in rows.take(most):
            given_rows[owner] += sizes[int(owner)]
        for a in range(len(weights)):
            for b in range(a):
                apart = abs(given_rows[str(a)] / weights[a] - given_rows[str(b)] / weights[b])
                assert apart <= sizes[a] / weights[a] + sizes[b] / weights[b] + 1e-9
    rows.close()


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 5), st.sampled_from(["put", "take", "leave"])))
)
def test_nothing_is_lost_or_given_twice(steps: list[tuple[str, int, str]]) -> None:
    rows = Rows()
    waiting: set[Job] = set()
    for owner, number, step in steps:
        if step == "put":
            waiting.add(rows.put(owner, rows=number))
        elif step == "take":
            batch, _ = rows.queue.take(number, 0.0)
            assert sum(job.rows for job in batch) <= max(number, max((job.rows for job in batch), default=0))
            assert set(batch) <= waiting
            waiting -= set(batch)
        elif waiting:
            job = min(waiting, key=lambda job: job.queued_at)
            assert rows.queue.remove(job)
            assert not rows.queue.remove(job)
            waiting.discard(job)
        assert rows.queue.rows == sum(job.rows for job in waiting)
    rows.close()


def test_expired_and_cancelled_jobs_are_given_back_apart() -> None:
    rows = Rows()
    late, gone, alive = rows.put("a", until=1.0), rows.put("a"), rows.put("b")
    gone.future.cancel()
    batch, dropped = rows.queue.take(8, 2.0)
    assert batch == [alive]
    assert set(dropped) == {late, gone}
    assert rows.queue.rows == 0
    rows.close()


def test_like_sizes_go_together_whoever_owns_them() -> None:
    rows = Rows()
    rows.put("a", size=400)
    rows.put("b", size=10)
    rows.put("c", size=390)
    rows.put("b", size=12)
    assert rows.take(8, by_size=True) == ["a", "c"]
    assert rows.take(8, by_size=True) == ["b", "b"]
    rows.close()


def test_the_newest_jobs_of_the_longest_line_make_room() -> None:
    rows = Rows()
    flood = [rows.put("flood") for _ in range(10)]
    assert rows.queue.crowding(2, 2, "quiet", 1.0) == [flood[9], flood[8]]
    assert rows.queue.crowding(1, 1, "flood", 1.0) == []
    assert rows.queue.crowding(8, 8, "greedy", 1.0) == []
    rows.close()
