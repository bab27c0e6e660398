"""Ranking metrics against scikit-learn and scipy, with and without ties."""

import numpy as np
import pytest
import sklearn.metrics as second
from scipy.stats import ks_2samp

from servery.metrics import ranking_curves

GENERATOR = np.random.default_rng(1)
POSITIVE = GENERATOR.random(400) < 0.3
SMOOTH = GENERATOR.normal(POSITIVE * 1.0)


@pytest.fixture(params=["no ties", "ties"])
def scores(request):
    return SMOOTH if request.param == "no ties" else np.round(SMOOTH)


def test_areas_equal_those_of_scikit_learn(scores):
    assert ranking_curves.roc_auc(POSITIVE, scores) == pytest.approx(second.roc_auc_score(POSITIVE, scores))
    assert ranking_curves.gini(POSITIVE, scores) == pytest.approx(
        2 * second.roc_auc_score(POSITIVE, scores) - 1
    )
    assert ranking_curves.average_precision(POSITIVE, scores) == pytest.approx(
        second.average_precision_score(POSITIVE, scores)
    )


def test_ks_equals_the_statistic_of_scipy(scores):
    expected = ks_2samp(scores[POSITIVE], scores[~POSITIVE]).statistic
    assert ranking_curves.ks(POSITIVE, scores) == pytest.approx(expected)


def test_roc_points_equal_those_of_scikit_learn(scores):
    false_rate, true_rate, _ = second.roc_curve(POSITIVE, scores, drop_intermediate=False)
    np.testing.assert_allclose(ranking_curves.roc_curve(POSITIVE, scores), [false_rate, true_rate])


def test_precision_recall_points_equal_those_of_scikit_learn(scores):
    precision, recall, _ = second.precision_recall_curve(POSITIVE, scores)
    np.testing.assert_allclose(
        ranking_curves.precision_recall_curve(POSITIVE, scores), [recall[:-1][::-1], precision[:-1][::-1]]
    )


def test_rows_of_one_kind_have_no_area():
    assert np.isnan(ranking_curves.roc_auc(np.ones(3, dtype=bool), np.arange(3.0)))
    assert np.isnan(ranking_curves.average_precision(np.zeros(3, dtype=bool), np.arange(3.0)))
    assert np.isnan(ranking_curves.ks(np.zeros(3, dtype=bool), np.arange(3.0)))
    assert np.isnan(ranking_curves.macro_ranking(np.ones((3, 1), dtype=bool), np.ones((3, 1)))).all()


def test_the_macro_mean_leaves_out_labels_of_one_kind():
    targets = np.stack([POSITIVE, ~POSITIVE, np.zeros_like(POSITIVE)], axis=1)
    scores = np.stack([SMOOTH, -SMOOTH + 0.1 * GENERATOR.random(400), SMOOTH], axis=1)
    roc_auc, average_precision = ranking_curves.macro_ranking(targets, scores)
    assert roc_auc == pytest.approx(second.roc_auc_score(targets[:, :2], scores[:, :2], average="macro"))
    assert average_precision == pytest.approx(
        second.average_precision_score(targets[:, :2], scores[:, :2], average="macro")
    )
