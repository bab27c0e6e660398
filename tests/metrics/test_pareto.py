"""Fronts and volumes against what counting says."""

import numpy as np
import pytest

from servery.metrics.pareto import fronts, hypervolume


def test_a_front_holds_what_nothing_left_is_better_than() -> None:
    losses = np.random.default_rng(0).integers(0, 6, size=(60, 2)).astype(float)
    found = fronts(losses)
    for place, row in enumerate(losses):
        beaters = [i for i, o in enumerate(losses) if (o <= row).all() and (o < row).any()]
        expected = 1 + max((found[i] for i in beaters), default=-1)
        assert found[place] == expected


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_the_volume_is_the_share_of_random_points_that_are_beaten(objectives: int) -> None:
    chance = np.random.default_rng(objectives)
    losses, points = chance.random((12, objectives)), chance.random((40_000, objectives))
    beaten = (losses[:, None] <= points).all(axis=2).any(axis=0).mean()
    assert hypervolume(losses, np.ones(objectives)) == pytest.approx(beaten, abs=0.01)


def test_what_is_worse_than_the_worst_wins_nothing() -> None:
    assert hypervolume(np.array([[2.0, 0.1], [1.0, 1.0]]), np.ones(2)) == 0.0
