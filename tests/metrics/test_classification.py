"""Label metrics against scikit-learn, the second implementation."""

import numpy as np
import pytest
import sklearn.metrics as second

from servery.metrics import agreement, classification, multi_label

GENERATOR = np.random.default_rng(0)
TARGETS = GENERATOR.integers(0, 4, 500)
PREDICTED = np.where(GENERATOR.random(500) < 0.7, TARGETS, GENERATOR.integers(0, 4, 500))
MATRIX = classification.confusion_matrix(TARGETS, PREDICTED, 4)
CARRIED = GENERATOR.random((300, 5)) < [0.5, 0.3, 0.1, 0.02, 0.0]
SELECTED = np.where(GENERATOR.random((300, 5)) < 0.8, CARRIED, ~CARRIED) & [True, True, True, True, False]


def test_label_metrics_equal_those_of_scikit_learn():
    assert (second.confusion_matrix(TARGETS, PREDICTED) == MATRIX).all()
    assert classification.accuracy(MATRIX) == pytest.approx(second.accuracy_score(TARGETS, PREDICTED))
    assert classification.micro_f1(MATRIX) == pytest.approx(
        second.f1_score(TARGETS, PREDICTED, average="micro")
    )
    assert classification.macro_f1(MATRIX) == pytest.approx(
        second.f1_score(TARGETS, PREDICTED, average="macro")
    )
    assert classification.balanced_accuracy(MATRIX) == pytest.approx(
        second.balanced_accuracy_score(TARGETS, PREDICTED)
    )
    assert agreement.cohen_kappa(MATRIX) == pytest.approx(second.cohen_kappa_score(TARGETS, PREDICTED))
    assert agreement.matthews_correlation(MATRIX) == pytest.approx(
        second.matthews_corrcoef(TARGETS, PREDICTED)
    )


def test_per_label_values_equal_those_of_scikit_learn():
    expected = second.precision_recall_fscore_support(TARGETS, PREDICTED)
    measured = classification.per_label(MATRIX)
    np.testing.assert_allclose([measured.precision, measured.recall, measured.f1], expected[:3])
    assert (measured.support == expected[3]).all()


def test_a_label_that_occurs_nowhere_does_not_pull_the_mean_down():
    with_a_fifth = classification.confusion_matrix(TARGETS, PREDICTED, 5)
    assert classification.macro_f1(with_a_fifth) == classification.macro_f1(MATRIX)
    assert classification.balanced_accuracy(with_a_fifth) == classification.balanced_accuracy(MATRIX)


def test_a_label_that_is_predicted_but_never_true_counts_as_zero():
    matrix = classification.confusion_matrix(np.array([0, 0]), np.array([0, 1]), 2)
    assert classification.macro_f1(matrix) == pytest.approx((2 / 3 + 0) / 2)


def test_constant_predictions_correlate_with_nothing():
    assert agreement.matthews_correlation(np.array([[5, 0], [3, 0]])) == 0.0


def test_multi_label_metrics_equal_those_of_scikit_learn():
    expected = second.f1_score(CARRIED, SELECTED, average="macro", zero_division=np.nan)
    assert multi_label.macro_f1(CARRIED, SELECTED) == pytest.approx(expected)
    assert multi_label.micro_f1(CARRIED, SELECTED) == pytest.approx(
        second.f1_score(CARRIED, SELECTED, average="micro")
    )
    assert multi_label.subset_accuracy(CARRIED, SELECTED) == pytest.approx(
        second.accuracy_score(CARRIED, SELECTED)
    )
    assert multi_label.hamming_loss(CARRIED, SELECTED) == pytest.approx(
        second.hamming_loss(CARRIED, SELECTED)
    )
