"""The batcher: batches form while the model is busy, and one bad item hurts only itself."""

from __future__ import annotations

import asyncio
import random
import time
from types import ModuleType
from typing import Any

import pytest

from servery.errors import DeadlineError, NonFiniteError, OverloadedError, TooLongError
from servery.serving.batcher import Batcher
from servery.serving.latency_model import LatencyModel
from servery.tasks.classification import ClassificationParameters

ALL = ClassificationParameters()


class Drill:
    """A batcher over the drill model, whose gate holds the model busy."""

    def __init__(self, house: ModuleType, **bounds: Any) -> None:
        self.predictor = house.drill()
        self.runtime: Any = self.predictor.runtime
        self.batcher = Batcher(self.predictor, **{"max_batch_rows": 8, "max_queue_rows": 1000, **bounds})

    def submit(self, *texts: str, parameters: Any = ALL, **more: Any) -> asyncio.Task[Any]:
        examples = [{"text": text} for text in texts]
        return asyncio.create_task(self.batcher.submit(examples, parameters, **more))

    async def occupy(self) -> asyncio.Task[Any]:
        """Hold the model busy with one request until `release`."""
        self.runtime.gate.clear()
        first = self.submit("first")
        while self.batcher.queue_rows or not self.batcher.is_busy:
            await asyncio.sleep(0.001)
        return first

    def release(self) -> None:
        self.runtime.gate.set()


@pytest.fixture
def drill(house: ModuleType) -> Drill:
    return Drill(house)


async def test_a_lone_request_runs_at_once_and_alone(drill: Drill) -> None:
    answered = await drill.submit("hello")
    assert answered.batch_rows == 1
    assert drill.runtime.batches == [1]
    assert answered.answers[0].labels[0].label == "long"


async def test_a_batch_is_what_queued_while_the_model_was_busy(drill: Drill) -> None:
    first = await drill.occupy()
    rest = [drill.submit(f"text {i}") for i in range(5)]
    await asyncio.sleep(0.01)
    drill.release()
    await asyncio.gather(first, *rest)
    assert drill.runtime.batches == [1, 5]


@pytest.mark.parametrize(
    ("measured", "batches"),
    [({1: 0.001, 64: 0.064}, [1, 8, 7]), ({1: 0.050, 64: 0.064}, [1, 15])],
    ids=["each row takes its time", "a batch takes little more than a row"],
)
async def test_callers_in_a_circle_are_served_in_halves_where_that_costs_the_model_little(
    house: ModuleType, measured: dict[int, float], batches: list[int]
) -> None:
    drill = Drill(house, max_batch_rows=64, latency=LatencyModel(measured))
    first = await drill.occupy()
    rest = [drill.submit(f"text {i}") for i in range(15)]
    await asyncio.sleep(0.01)
    drill.release()
    await asyncio.gather(first, *rest)
    assert drill.runtime.batches == batches


async def test_a_batch_has_no_more_rows_than_allowed(drill: Drill) -> None:
    first = await drill.occupy()
    rest = [drill.submit(*["same size"] * 3) for _ in range(6)]
    await asyncio.sleep(0.01)
    drill.release()
    await asyncio.gather(first, *rest)
    assert drill.runtime.batches == [1, 6, 6, 6]


async def test_a_request_larger_than_a_batch_is_answered_in_its_own_order(drill: Drill) -> None:
    texts = ["x" * length for length in random.Random(0).sample(range(1, 60), 30)]
    answered = await drill.submit(*texts)
    alone = [(await drill.submit(text)).answers[0] for text in texts]
    assert answered.answers == alone
    assert max(drill.runtime.batches) <= 8


async def test_like_sizes_go_together_and_the_oldest_goes_first(drill: Drill) -> None:
    first = await drill.occupy()
    oldest = drill.submit("x" * 400)
    short = [drill.submit("y" * 10) for _ in range(3)]
    long = [drill.submit("z" * 390) for _ in range(3)]
    await asyncio.sleep(0.01)
    drill.release()
    answers = await asyncio.gather(first, oldest, *short, *long)
    assert [a.batch_rows for a in answers] == [1, 4, 3, 3, 3, 4, 4, 4]


async def test_a_full_queue_refuses_at_once_and_says_when_to_come_back(house: ModuleType) -> None:
    drill = Drill(house, max_queue_rows=4)
    first = await drill.occupy()
    waiting = drill.submit("a", "b", "c")
    await asyncio.sleep(0.01)
    with pytest.raises(OverloadedError) as refused:
        await drill.batcher.submit([{"text": "d"}, {"text": "e"}], ALL)
    assert refused.value.retry_after_seconds is not None
    assert refused.value.retry_after_seconds >= 1
    drill.release()
    await asyncio.gather(first, waiting)
    assert drill.batcher.queue_rows == 0


async def test_a_cancelled_request_never_enters_a_batch_and_frees_its_place(drill: Drill) -> None:
    first = await drill.occupy()
    gone, stays = drill.submit("gone"), drill.submit("stays")
    await asyncio.sleep(0.01)
    gone.cancel()
    await asyncio.sleep(0.01)
    assert drill.batcher.queue_rows == 1
    drill.release()
    await asyncio.gather(first, stays)
    assert drill.runtime.batches == [1, 1]


async def test_an_expired_request_never_enters_a_batch(drill: Drill) -> None:
    first = await drill.occupy()
    late = drill.submit("late", deadline=asyncio.get_running_loop().time() + 0.01)
    await asyncio.sleep(0.03)
    drill.release()
    await first
    with pytest.raises(DeadlineError):
        await late
    assert drill.runtime.batches == [1]


@pytest.mark.parametrize(
    ("bad", "error"), [("poison", RuntimeError), ("nan", NonFiniteError), ("toolong", TooLongError)]
)
async def test_one_bad_item_fails_alone_and_its_neighbours_get_the_same_bits(
    drill: Drill, bad: str, error: type[Exception]
) -> None:
    texts = [f"neighbour {i}" for i in range(7)]
    alone = [(await drill.submit(text)).answers for text in texts]
    first = await drill.occupy()
    tasks = [drill.submit(text) for text in texts]
    tasks.insert(3, drill.submit(f"the {bad} item"))
    await asyncio.sleep(0.01)
    drill.release()
    await first
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(results.pop(3), error)
    assert [result.answers for result in results] == alone  # type: ignore[union-attr]


async def test_requests_with_other_parameters_share_a_batch(drill: Drill) -> None:
    first = await drill.occupy()
    one = drill.submit("a", parameters=ClassificationParameters(top_k=1))
    both = drill.submit("b")
    again = drill.submit("c", parameters=ClassificationParameters(top_k=1))
    await asyncio.sleep(0.01)
    drill.release()
    await first
    counts = [len((await task).answers[0].labels) for task in (one, both, again)]
    assert counts == [1, 2, 1]
    assert drill.runtime.batches == [1, 3]


async def test_answers_in_random_batches_equal_those_given_alone(house: ModuleType) -> None:
    chance = random.Random(7)
    drill = Drill(house, max_batch_rows=5)
    requests = [["q" * chance.randint(1, 80) for _ in range(chance.randint(1, 9))] for _ in range(60)]
    tasks = []
    for texts in requests:
        tasks.append(drill.submit(*texts))
        if chance.random() < 0.3:
            await asyncio.sleep(0.001)
    for texts, task in zip(requests, tasks, strict=True):
        expected = drill.predictor.predict([{"text": text} for text in texts])
        assert (await task).answers == expected


@pytest.fixture
def inline(house: ModuleType) -> Drill:
    return Drill(house, inline_work=200)


async def test_what_arrives_in_one_turn_of_the_loop_is_one_batch_on_it(inline: Drill) -> None:
    await asyncio.gather(*(inline.submit(f"text {i}") for i in range(5)))
    assert inline.runtime.batches == [5]


async def test_what_arrives_in_one_turn_of_the_loop_is_not_halved(house: ModuleType) -> None:
    inline = Drill(house, inline_work=200, latency=LatencyModel({1: 0.001, 64: 0.064}))
    await asyncio.gather(*(inline.submit(f"text {i}") for i in range(8)))
    assert inline.runtime.batches == [8]


async def test_a_lone_request_on_the_loop_waits_for_nobody_after_a_crowd(inline: Drill) -> None:
    await asyncio.gather(*(inline.submit(f"text {i}") for i in range(8)))
    answered = await inline.submit("alone")
    assert inline.runtime.batches == [8, 1]
    assert answered.queue_seconds < 0.1


async def test_the_loop_lives_on_between_batches(inline: Drill) -> None:
    crowd = [inline.submit(f"text {i}") for i in range(40)]
    turns = 0
    while not all(task.done() for task in crowd):
        await asyncio.sleep(0)
        turns += 1
    assert len(inline.runtime.batches) == 5
    assert turns >= 5


@pytest.mark.parametrize("bad", ["poison", "nan", "toolong"])
async def test_one_bad_item_fails_alone_on_the_loop_too(inline: Drill, bad: str) -> None:
    tasks = [inline.submit(text) for text in ("a", f"the {bad} item", "c")]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [isinstance(result, Exception) for result in results] == [False, True, False]


async def test_a_request_cancelled_in_the_same_turn_never_runs_on_the_loop(inline: Drill) -> None:
    gone, stays = inline.submit("gone"), inline.submit("stays")
    await asyncio.sleep(0)
    gone.cancel()
    await stays
    assert inline.runtime.batches == [1]
    assert inline.batcher.queue_rows == 0


async def test_a_batch_too_large_for_the_loop_runs_in_the_thread(inline: Drill) -> None:
    await inline.submit("short")
    assert inline.batcher._thread is None
    inline.runtime.gate.clear()
    long = inline.submit("long " * 50)
    for _ in range(5):
        await asyncio.sleep(0.001)  # the loop turns, though the model is held
    assert not long.done()
    short = inline.submit("short")
    inline.release()
    await asyncio.gather(long, short)
    assert inline.batcher._thread is not None
    while inline.batcher.is_busy:  # the thread looks once more before it rests
        await asyncio.sleep(0.001)
    assert (await inline.submit("short")).batch_rows == 1


async def test_after_the_loop_stood_still_the_thread_is_used_for_a_while(inline: Drill) -> None:
    await inline.submit("sleep=0.1")
    assert inline.batcher._thread is None
    await inline.submit("short")
    assert inline.batcher._thread is not None


async def test_a_flood_of_one_key_does_not_keep_another_from_its_turn(drill: Drill) -> None:
    first = await drill.occupy()
    flood = [drill.submit("sleep=0.01 flood", owner="flood") for _ in range(200)]
    await asyncio.sleep(0.01)
    quiet = drill.submit("sleep=0.01 quiet", owner="quiet")
    await asyncio.sleep(0.01)
    drill.release()
    await asyncio.gather(first, quiet)
    assert sum(task.done() for task in flood) <= 16
    for task in flood:
        task.cancel()
    await asyncio.gather(*flood, return_exceptions=True)


async def test_weights_share_the_model_out(drill: Drill) -> None:
    first = await drill.occupy()
    heavy = [drill.submit("heavy", owner="heavy", weight=3.0) for _ in range(48)]
    light = [drill.submit("light", owner="light", weight=1.0) for _ in range(48)]
    done: list[str] = []
    for name, tasks in (("heavy", heavy), ("light", light)):
        for task in tasks:
            task.add_done_callback(lambda _, name=name: done.append(name))
    await asyncio.sleep(0.01)
    drill.release()
    await asyncio.gather(first, *heavy, *light)
    assert 22 <= done[:32].count("heavy") <= 26


async def test_a_queue_full_of_one_keys_requests_makes_room_for_another_key(house: ModuleType) -> None:
    drill = Drill(house, max_queue_rows=20)
    first = await drill.occupy()
    flood = [drill.submit("flood", owner="flood") for _ in range(20)]
    await asyncio.sleep(0.01)
    quiet = drill.submit("quiet", owner="quiet")
    await asyncio.sleep(0.01)
    given_up = [task for task in flood if task.done()]
    assert given_up == [flood[-1]]
    with pytest.raises(OverloadedError):
        given_up[0].result()
    with pytest.raises(OverloadedError):
        await drill.submit("more flood", owner="flood")
    drill.release()
    await asyncio.gather(first, quiet, *flood[:-1])


async def test_a_request_that_would_be_too_late_is_refused_at_once(drill: Drill) -> None:
    await drill.submit(*["sleep=0.1"] * 8)
    await drill.submit(*["sleep=0.1"] * 8)
    now = asyncio.get_running_loop().time
    waiting = [drill.submit(*["sleep=0.1"] * 8, deadline=now() + 30) for _ in range(10)]
    await asyncio.sleep(0.01)
    began = time.monotonic()
    with pytest.raises(OverloadedError) as refused:
        await drill.batcher.submit([{"text": "late"}], ALL, now() + 0.3)
    assert time.monotonic() - began < 0.02
    assert refused.value.retry_after_seconds is not None
    in_time = drill.submit("in time", deadline=now() + 20)
    results = await asyncio.gather(*waiting, in_time)
    assert len(results) == 11


async def test_a_request_with_little_time_is_joined_by_no_more_than_fit_into_it(house: ModuleType) -> None:
    drill = Drill(house, max_batch_rows=64, latency=LatencyModel({1: 0.1, 64: 6.4}))
    first = await drill.occupy()
    hurried = [drill.submit(f"soon {i}", deadline=time.monotonic() + 2.05) for i in range(3)]
    await asyncio.sleep(0.01)
    others = [drill.submit(f"later {i}") for i in range(40)]
    await asyncio.sleep(0.01)
    drill.release()
    answered = await asyncio.gather(first, *hurried, *others)
    assert all(3 <= one.batch_rows <= 20 for one in answered[1:4])
    assert max(drill.runtime.batches) > 20


async def test_an_idle_model_tries_even_when_it_was_slow_before(drill: Drill) -> None:
    for _ in range(20):
        drill.batcher.latency.learn(1, 100.0)
    answered = await drill.submit("hello", deadline=asyncio.get_running_loop().time() + 5)
    assert len(answered.answers) == 1


async def test_under_ten_times_too_much_the_model_works_on_and_refusals_cost_nothing(
    house: ModuleType,
) -> None:
    drill = Drill(house, max_batch_rows=4)
    now = asyncio.get_running_loop().time
    refusals: list[tuple[float, int | None]] = []
    answered = 0

    async def ask(deadline_seconds: float) -> None:
        nonlocal answered
        began = time.perf_counter()
        try:
            await drill.batcher.submit([{"text": "sleep=0.02"}], ALL, now() + deadline_seconds)
        except OverloadedError as error:
            refusals.append((time.perf_counter() - began, error.retry_after_seconds))
        except DeadlineError:
            pass
        else:
            answered += 1

    peak_began = time.monotonic()
    await asyncio.gather(*(ask(60) for _ in range(80)))
    peak = answered / (time.monotonic() - peak_began)  # at most 4 rows in 20 ms: 200 a second
    answered, began, tasks = 0, time.monotonic(), []
    while (elapsed := time.monotonic() - began) < 1.0:
        tasks += [asyncio.create_task(ask(0.2)) for _ in range(int(elapsed * 2000) - len(tasks))]
        await asyncio.sleep(0.002)
    await asyncio.gather(*tasks)
    goodput = answered / (time.monotonic() - began)
    assert goodput >= 0.8 * peak
    assert len(refusals) > len(tasks) / 2
    assert all(retry_after_seconds for _, retry_after_seconds in refusals)
    assert sorted(refusals)[int(len(refusals) * 0.9)][0] < 0.02
    began = time.monotonic()
    await ask(5)
    assert time.monotonic() - began < 0.5


async def test_a_full_queue_is_told_without_reading_what_was_sent(house: ModuleType) -> None:
    drill = Drill(house, max_queue_rows=2)
    first = await drill.occupy()
    waiting = drill.submit("a", "b")
    await asyncio.sleep(0.01)
    with pytest.raises(OverloadedError):
        drill.batcher.make_room(1)
    drill.release()
    await asyncio.gather(first, waiting)
    drill.batcher.make_room(1)


async def test_the_thread_of_a_closed_batcher_ends(drill: Drill) -> None:
    await drill.submit("hello")
    thread = drill.batcher._thread
    assert thread is not None
    drill.batcher.close()
    await asyncio.to_thread(thread.join, 5)
    assert not thread.is_alive()
