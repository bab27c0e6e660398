"""The batcher: batches form while the model is busy, and one bad item hurts only itself."""

from __future__ import annotations

import asyncio
import random
from types import ModuleType
from typing import Any

import pytest

from servery.errors import DeadlineError, NonFiniteError, OverloadedError, TooLongError
from servery.serving.batcher import Batcher
from servery.tasks.classification import ClassificationParameters

ALL = ClassificationParameters()


class Drill:
    """A batcher over the drill model, whose gate holds the model busy."""

    def __init__(self, house: ModuleType, **bounds: int) -> None:
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
        while self.batcher.queue_rows or self.batcher._puller is None:
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
