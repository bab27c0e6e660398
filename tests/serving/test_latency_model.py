"""The latency model: a line over the rows that follows what batches take now."""

from __future__ import annotations

import random

import pytest

from servery.serving.latency_model import LatencyModel


def test_it_finds_the_line_that_batches_lie_on() -> None:
    model, chance = LatencyModel(), random.Random(0)
    for _ in range(200):
        rows = chance.randint(1, 64)
        model.learn(rows, (0.002 + 0.0005 * rows) * chance.uniform(0.9, 1.1))
    assert model.seconds(1) == pytest.approx(0.0025, rel=0.4)
    assert model.seconds(64) == pytest.approx(0.034, rel=0.1)


def test_it_follows_a_machine_that_became_slower() -> None:
    model = LatencyModel({1: 0.001, 16: 0.004, 64: 0.013})
    for _ in range(100):
        model.learn(64, 0.05)
    assert model.seconds(64) == pytest.approx(0.05, rel=0.05)


def test_batches_of_one_size_teach_no_slope() -> None:
    model = LatencyModel({1: 0.010, 11: 0.020})
    for _ in range(500):
        model.learn(1, 0.010)
    assert model.seconds(1) == pytest.approx(0.010)
    assert model.seconds(11) == pytest.approx(0.020, rel=0.05)


def test_many_rows_take_full_batches_and_a_rest() -> None:
    model = LatencyModel({1: 0.011, 10: 0.020})
    assert model.seconds_in_batches(25, 10) == pytest.approx(2 * 0.020 + 0.015)
    assert model.seconds_in_batches(0, 10) == 0


def test_nothing_takes_less_than_no_time() -> None:
    model = LatencyModel({1: 0.5, 64: 0.001})
    assert min(model.seconds(rows) for rows in (1, 16, 64, 1000)) >= 0
