"""Answers that grow side by side: who joins, who leaves, who fails, and what is left of them."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from servery.errors import DeadlineError, OverloadedError
from servery.models.growing import Growth
from servery.serving.grower import Grower
from servery.tasks.generated_text import TextGenerationAnswer, TextGenerationParameters


def _load_counting() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "servery_test_counting", Path(__file__).parent / "counting.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


COUNTING = _load_counting()


class Room:
    """A grower of the counting model."""

    def __init__(self, max_growing: int = 8, max_queue_rows: int = 100, **more: float) -> None:
        self.predictor, self.runtime = COUNTING.counting()
        self.grower = Grower(self.predictor, max_growing=max_growing, max_queue_rows=max_queue_rows, **more)

    def begin(self, start: int, most: int) -> Growth:
        parameters = TextGenerationParameters(max_tokens=most)
        growth: Growth = self.predictor.begin({"text": str(start)}, parameters)
        return growth

    async def numbers(self, start: int, most: int, **more: Any) -> list[int]:
        jobs = self.grower.queued([self.begin(start, most)], **more)
        async with aclosing(self.grower.grow(jobs)) as pieces:
            return [int(grown.piece.text) async for grown in pieces]  # type: ignore[union-attr]

    async def is_idle(self) -> None:
        for _ in range(200):
            if not self.grower.is_busy:
                return
            await asyncio.sleep(0.005)
        raise AssertionError("still busy")


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    made = Room()
    yield made
    made.runtime.gate.set()
    await made.is_idle()
    assert made.runtime.held == set()
    made.grower.close()


async def test_answers_come_piece_by_piece_and_whole(room: Room) -> None:
    assert await room.numbers(3, 4) == [3, 4, 5, 6]
    parameters = TextGenerationParameters(max_tokens=3)
    answered = await room.grower.submit([{"text": "1"}, {"text": "7"}], parameters)
    assert [a.text for a in answered.answers if isinstance(a, TextGenerationAnswer)] == ["1 2 3", "7 8 9"]
    assert answered.batch_rows == 2
    assert answered.compute_seconds > 0


async def test_a_short_answer_does_not_wait_for_a_long_one(room: Room) -> None:
    room.runtime.step_seconds = 0.002
    long = asyncio.create_task(room.numbers(1, 150))
    await asyncio.sleep(0.05)
    assert await room.numbers(50, 3) == [50, 51, 52]
    assert not long.done()
    assert await long == list(range(1, 151))
    assert [1, 50] in room.runtime.steps


async def test_those_who_wait_join_as_soon_as_one_is_done() -> None:
    room = Room(max_growing=2)
    found = await asyncio.gather(*(room.numbers(start * 100, start + 1) for start in range(6)))
    assert found == [list(range(s * 100, s * 100 + s + 1)) for s in range(6)]
    assert max(map(len, room.runtime.steps)) == 2
    room.grower.close()


async def test_whoever_leaves_is_out_of_the_next_step(room: Room) -> None:
    room.runtime.step_seconds = 0.005
    jobs = room.grower.queued([room.begin(1, 1000), room.begin(500, 1000)])
    other = asyncio.create_task(room.numbers(9, 40))
    async with aclosing(room.grower.grow(jobs)) as pieces:
        async for grown in pieces:
            if grown is not None and grown.place == 1:
                break
    steps = len(room.runtime.steps)
    assert await other == list(range(9, 49))
    # The step that was under way may still have had them; no later one has.
    assert all(step == [9] for step in room.runtime.steps[steps + 1 :])
    await room.is_idle()
    assert room.grower.under_way == 0


async def test_whoever_is_cancelled_while_waiting_never_begins() -> None:
    room = Room(max_growing=1)
    room.runtime.gate.clear()
    first = asyncio.create_task(room.numbers(1, 3))
    second = asyncio.create_task(room.numbers(2, 3))
    await asyncio.sleep(0.02)
    second.cancel()
    await asyncio.sleep(0)
    assert room.grower.queue_rows == 0
    room.runtime.gate.set()
    assert await first == [1, 2, 3]
    await room.is_idle()
    assert all(2 not in step for step in room.runtime.steps)
    room.grower.close()


async def test_a_failing_step_is_retried_by_halves_and_only_the_culprit_fails(room: Room) -> None:
    starts = [1, 20, 13, 40, 60]
    found = await asyncio.gather(*(room.numbers(s, 6) for s in starts), return_exceptions=True)
    assert isinstance(found[2], RuntimeError)
    assert [found[i] for i in (0, 1, 3, 4)] == [list(range(s, s + 6)) for s in (1, 20, 40, 60)]


async def test_one_that_can_go_on_no_more_fails_alone(room: Room) -> None:
    found = await asyncio.gather(room.numbers(14, 3), room.numbers(1, 3), return_exceptions=True)
    assert isinstance(found[0], ValueError)
    assert found[1] == [1, 2, 3]


async def test_one_failing_answer_ends_its_request_and_frees_the_others_of_it(room: Room) -> None:
    jobs = room.grower.queued([room.begin(1, 1000), room.begin(14, 5)])
    with pytest.raises(ValueError, match="fourteen"):
        async for _ in room.grower.grow(jobs):
            pass
    await room.is_idle()
    assert room.grower.under_way == 0


async def test_the_deadline_ends_one_that_waits_and_one_that_grows() -> None:
    room = Room(max_growing=1)
    room.runtime.step_seconds = 0.005
    soon = asyncio.get_running_loop().time() + 0.1
    growing = asyncio.create_task(room.numbers(1, 1000, deadline=soon))
    waiting = asyncio.create_task(room.numbers(2, 1, deadline=soon - 0.05))
    for late in (growing, waiting):
        with pytest.raises(DeadlineError):
            await late
    assert len(room.runtime.steps) > 3
    assert all(2 not in step for step in room.runtime.steps)
    await room.is_idle()
    room.grower.close()


async def test_too_many_who_wait_are_refused_at_once_with_a_time_to_come_back() -> None:
    room = Room(max_growing=1, max_queue_rows=2)
    room.runtime.gate.clear()
    tasks = [asyncio.create_task(room.numbers(start, 2)) for start in (1, 2, 3)]
    await asyncio.sleep(0.02)
    assert room.grower.queue_rows == 2
    with pytest.raises(OverloadedError) as refused:
        await room.numbers(4, 2)
    assert refused.value.retry_after_seconds is not None
    assert refused.value.retry_after_seconds >= 1
    room.runtime.gate.set()
    assert await asyncio.gather(*tasks) == [[1, 2], [2, 3], [3, 4]]
    room.grower.close()


async def test_an_owner_with_fewer_answers_under_way_goes_first() -> None:
    room = Room(max_growing=2)
    room.runtime.gate.clear()
    many = [asyncio.create_task(room.numbers(start, 3, owner="many")) for start in range(100, 110)]
    await asyncio.sleep(0.02)
    few = asyncio.create_task(room.numbers(1, 3, owner="few"))
    await asyncio.sleep(0.02)
    room.runtime.gate.set()
    await few
    assert sum(task.done() for task in many) <= 3
    await asyncio.gather(*many)
    room.grower.close()


async def test_heartbeats_come_while_a_step_takes_long(room: Room) -> None:
    room.runtime.gate.clear()
    jobs = room.grower.queued([room.begin(1, 2)])
    beats = 0
    async with aclosing(room.grower.grow(jobs, beat_seconds=0.01)) as pieces:
        async for grown in pieces:
            beats += grown is None
            if beats == 3:
                room.runtime.gate.set()
    assert beats >= 3


async def test_a_slow_reader_gets_every_piece_and_holds_nobody(room: Room) -> None:
    jobs = room.grower.queued([room.begin(1, 50)])
    pieces = room.grower.grow(jobs)
    first = await anext(pieces)
    await room.is_idle()  # it is whole before its reader has read on
    assert room.runtime.held == set()
    texts = [first, *[grown async for grown in pieces]]
    assert [int(grown.piece.text) for grown in texts] == list(range(1, 51))  # type: ignore[union-attr]
    assert [grown.is_last for grown in texts if grown is not None].count(True) == 1


async def test_those_who_need_more_memory_than_is_left_wait_and_one_alone_may_have_it_all() -> None:
    room = Room(max_bytes=100)
    many = [room.numbers(start, 3) for start in range(1, 5)]  # each may need 30 bytes
    found = await asyncio.gather(*many, room.numbers(50, 40))
    assert found == [*([start, start + 1, start + 2] for start in range(1, 5)), list(range(50, 90))]
    assert max(map(len, room.runtime.steps)) == 3
    assert all(step == [50] for step in room.runtime.steps if 50 in step)
    room.grower.close()
