"""Calibration metrics against scikit-learn and hand-worked cases."""

import numpy as np
import pytest
import sklearn.metrics as second
from sklearn.calibration import calibration_curve

from servery.metrics import calibration

GENERATOR = np.random.default_rng(2)
SCORES = GENERATOR.random(1000)
CAME_TRUE = GENERATOR.random(1000) < SCORES**1.5
CHANCES = GENERATOR.dirichlet([1.0, 2.0, 3.0], 200)
TARGETS = GENERATOR.integers(0, 3, 200)


def test_brier_and_log_loss_equal_those_of_scikit_learn():
    assert calibration.brier(CAME_TRUE, SCORES) == pytest.approx(second.brier_score_loss(CAME_TRUE, SCORES))
    carried = np.eye(3)[TARGETS]
    expected = second.brier_score_loss(TARGETS, CHANCES, labels=[0, 1, 2], scale_by_half=False)
    assert calibration.brier(carried, CHANCES) == pytest.approx(expected)
    assert calibration.log_loss(TARGETS, CHANCES) == pytest.approx(second.log_loss(TARGETS, CHANCES))
    assert calibration.binary_log_loss(CAME_TRUE, SCORES) == pytest.approx(second.log_loss(CAME_TRUE, SCORES))


def test_the_reliability_table_equals_the_curve_of_scikit_learn():
    shares, means = calibration_curve(CAME_TRUE, SCORES, n_bins=10)
    table = calibration.reliability(CAME_TRUE, SCORES, bins=10)
    np.testing.assert_allclose(table.shares_true, shares)
    np.testing.assert_allclose(table.mean_scores, means)
    assert table.counts.sum() == 1000


def test_ece_of_a_hand_worked_case():
    # Two rows near 0.25 of which one came true, two near 0.95 of which both did: (0.25 * 2 + 0.05 * 2) / 4.
    scores = np.array([0.25, 0.25, 0.95, 0.95])
    came_true = np.array([True, False, True, True])
    assert calibration.ece(came_true, scores, bins=10) == pytest.approx(0.15)


def test_zero_and_one_fall_into_the_outer_bins():
    table = calibration.reliability(np.array([False, True]), np.array([0.0, 1.0]), bins=5)
    assert table.counts.tolist() == [1, 0, 0, 0, 1]
    assert table.ece == 0.0


def test_a_certain_mistake_has_a_finite_log_loss():
    assert calibration.log_loss(np.array([0]), np.array([[0.0, 1.0]])) == pytest.approx(36.04, abs=0.01)
