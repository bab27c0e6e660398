"""How good a set of pictures is: by hand, and against what is known of normal distributions."""

import numpy as np
import pytest

from servery.metrics.pictures import COPY_DISTANCE, Moments, copies, frechet_distance, nearest


def test_equal_sets_are_no_way_apart_and_a_shift_counts_squared():
    features = np.random.default_rng(0).normal(size=(200, 5))
    one = Moments.of(features)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-8)
    moved = Moments.of(features + np.array([3.0, 0, 0, 0, 4.0]))
    assert frechet_distance(one, moved) == pytest.approx(25.0)
    assert frechet_distance(moved, one) == pytest.approx(25.0)


def test_the_distance_is_that_of_a_general_square_root():
    chance = np.random.default_rng(1)
    one, other = (Moments.of(chance.normal(size=(50, 4)) @ chance.normal(size=(4, 4))) for _ in range(2))
    # By another way: the eigenvalues of the product of both covariances, which need not be symmetric.
    values = np.linalg.eigvals(one.covariance @ other.covariance).real.clip(0)
    expected = ((one.mean - other.mean) ** 2).sum() + np.trace(one.covariance) + np.trace(other.covariance)
    assert frechet_distance(one, other) == pytest.approx(expected - 2 * np.sqrt(values).sum())


def test_a_covariance_without_full_rank_is_no_obstacle():
    few = np.random.default_rng(2).normal(size=(3, 10))
    assert frechet_distance(Moments.of(few), Moments.of(few + 1)) == pytest.approx(10.0)


def test_the_nearest_picture_is_found_in_chunks_too():
    chance = np.random.default_rng(3)
    known = chance.random((40, 3, 4, 4))
    order = chance.permutation(40)
    asked = np.concatenate([known[order]] * 10) + 0.01
    places, distances = nearest(asked, known)
    assert places.tolist() == order.tolist() * 10
    assert distances == pytest.approx(np.full(400, 0.01))


def test_a_little_noise_leaves_a_copy_and_another_colour_does_not():
    chance = np.random.default_rng(4)
    known = np.zeros((2, 3, 8, 8))
    known[0, 0, 2:6, 2:6] = known[1, 1, 1:7, 1:7] = 1.0
    noisy = (known + chance.normal(0, 0.02, known.shape)).clip(0, 1)
    other = known[:, [1, 2, 0]]
    assert (copies(noisy, known)[1] < COPY_DISTANCE).all()
    assert (copies(other, known)[1] > COPY_DISTANCE).all()


def test_even_pictures_are_compared_by_more_than_rounding():
    grey = np.full((1, 1, 4, 4), 0.5)
    assert copies(grey + 1 / 255, grey)[1] > COPY_DISTANCE
    assert copies(grey, grey)[1] == 0
