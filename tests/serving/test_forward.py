"""A batch with a bad job in it: the culprit alone gets the error, the neighbours' answers keep every bit."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servery.errors import InputError, NonFiniteError, ShapeError
from servery.models.encoder import Batch
from servery.models.predictor import Predictor
from servery.serving.fair_queue import Job
from servery.serving.forward import Result, answer
from servery.tasks.classification import ClassificationParameters

ALL = ClassificationParameters()


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


def example(**values: Any) -> dict[str, Any]:
    return {"word": 3.0, "value": 2.0, "rounds": 1.0, **values}


def jobs_of(loop: asyncio.AbstractEventLoop, *requests: list[dict[str, Any]]) -> list[Job]:
    return [Job(examples, 1, ALL, math.inf, loop.create_future()) for examples in requests]


def kinds(results: list[Result]) -> list[str]:
    return [type(result).__name__ for result in results]


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    words=st.lists(st.lists(st.integers(0, 31), min_size=1, max_size=4), min_size=2, max_size=20),
    bad=st.sets(st.integers(0, 19), max_size=3),
    poison=st.sampled_from([{"word": 99.0}, {"word": "no number"}]),
)
def test_neighbours_get_bit_for_bit_what_the_batch_without_the_culprits_gives(
    obedient: Predictor,
    loop: asyncio.AbstractEventLoop,
    words: list[list[int]],
    bad: set[int],
    poison: dict[str, Any],
) -> None:
    requests = [[example(word=float(word), value=1.0 + word) for word in row] for row in words]
    sound = [row for number, row in enumerate(requests) if number not in bad]
    for number in bad & set(range(len(requests))):
        requests[number][-1] = example(**poison)
    results = answer(obedient, jobs_of(loop, *requests))
    expected = obedient.predict([one for row in sound for one in row]) if sound else []
    given_answers = [one for result in results if isinstance(result, list) for one in result]
    assert given_answers == expected
    assert [isinstance(result, Exception) for result in results] == [n in bad for n in range(len(requests))]


def test_a_row_that_is_not_finite_fails_its_own_request_and_no_other(
    obedient: Predictor, loop: asyncio.AbstractEventLoop
) -> None:
    requests = [[example(word=float(word))] for word in range(8)]
    clean = answer(obedient, jobs_of(loop, *requests))
    requests[5] = [example(value=-1.0)]
    results = answer(obedient, jobs_of(loop, *requests))
    assert isinstance(results.pop(5), NonFiniteError)
    clean.pop(5)
    assert results == clean


def test_the_rows_of_a_request_share_its_fate(obedient: Predictor, loop: asyncio.AbstractEventLoop) -> None:
    requests = [[example(), example(value=-1.0)], [example(), example()]]
    assert kinds(answer(obedient, jobs_of(loop, *requests))) == ["NonFiniteError", "list"]


def test_an_input_the_encoder_refuses_costs_no_forward_pass(
    obedient: Predictor, loop: asyncio.AbstractEventLoop
) -> None:
    class Counting:
        name, passes = "counting", 0

        def run(self, batch: Batch) -> np.ndarray:
            self.passes += 1
            return obedient.runtime.run(batch)

    runtime: Any = Counting()
    requests = [[example()] for _ in range(16)]
    requests[7] = [example(word="no number")]
    results = answer(replace(obedient, runtime=runtime), jobs_of(loop, *requests))
    assert isinstance(results[7], InputError)
    assert runtime.passes == 1


def test_a_model_that_fails_only_for_many_rows_answers_them_in_parts(
    obedient: Predictor, loop: asyncio.AbstractEventLoop
) -> None:
    class Small:
        name = "small"

        def run(self, batch: Batch) -> np.ndarray:
            if len(batch["x"]) > 3:
                raise MemoryError
            return obedient.runtime.run(batch)

    runtime: Any = Small()
    results = answer(replace(obedient, runtime=runtime), jobs_of(loop, *[[example()] for _ in range(8)]))
    assert kinds(results) == ["list"] * 8


def test_a_model_that_gives_too_few_rows_gives_nobody_another_ones_answer(
    obedient: Predictor, loop: asyncio.AbstractEventLoop
) -> None:
    class Short:
        name = "short"

        def run(self, batch: Batch) -> np.ndarray:
            return obedient.runtime.run(batch)[:-1]

    runtime: Any = Short()
    results = answer(replace(obedient, runtime=runtime), jobs_of(loop, [example()], [example()]))
    assert all(isinstance(result, ShapeError) for result in results)
