"""Our logistic regression against scikit-learn's."""

import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression, RidgeClassifier

from servery.models.families._logistic_fit import fit_logistic
from servery.models.recipe import Budget, find_recipe

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(300, 6)) * (RANDOM.random((300, 6)) < 0.7)
NOISY = X + RANDOM.normal(size=(300, 6))
ONE_OF_TWO = (NOISY[:, 0] > 0.3).astype(np.int64)
ONE_OF_THREE = NOISY[:, :3].argmax(axis=1)
SEVERAL = (NOISY[:, :4] > 0.5).astype(np.float32)


@pytest.fixture
def work(make_work: Callable[..., Any], field_sample: Callable[..., Any]) -> Callable[..., Any]:
    rows = field_sample("table", "classification")
    recipe = find_recipe("logistic", "table", "classification")
    exact = {"inverse_penalty": 0.5, "max_iterations": 1000}
    return lambda **changes: make_work(recipe, "classification", rows, rows, **exact, **changes)


def theirs(targets: np.ndarray, **options: Any) -> LogisticRegression:
    return LogisticRegression(C=0.5, tol=1e-9, max_iter=5000, **options).fit(X, targets)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array], ids=["dense", "sparse"])
@pytest.mark.parametrize("class_weights", ["none", "balanced"])
def test_two_labels_get_scikit_learns_decision(
    work: Callable[..., Any], form: Callable[..., Any], class_weights: str
) -> None:
    ours = fit_logistic(form(X), ONE_OF_TWO, 2, work(class_weights=class_weights))
    expected = theirs(ONE_OF_TWO, class_weight=None if class_weights == "none" else class_weights)
    logits = X @ ours.weight + ours.bias
    assert np.allclose(logits[:, 1] - logits[:, 0], expected.decision_function(X), atol=5e-3)
    assert np.allclose(logits[:, 0], -logits[:, 1], atol=1e-6)
    assert ours.stopped == "converged"


def test_three_labels_get_scikit_learns_probabilities(work: Callable[..., Any]) -> None:
    ours = fit_logistic(X, ONE_OF_THREE, 3, work())
    chances = np.exp(X @ ours.weight + ours.bias)
    chances /= chances.sum(axis=1, keepdims=True)
    assert np.allclose(chances, theirs(ONE_OF_THREE).predict_proba(X), atol=1e-3)


def test_each_of_several_labels_is_decided_alone(work: Callable[..., Any]) -> None:
    ours = fit_logistic(X, SEVERAL, 4, work())
    for label in range(4):
        expected = theirs(SEVERAL[:, label]).decision_function(X)
        assert np.allclose(X @ ours.weight[:, label] + ours.bias[label], expected, atol=5e-3)


def test_naive_bayes_ratios_scale_what_is_learned(work: Callable[..., Any]) -> None:
    ours = fit_logistic(sparse.csr_array(X), ONE_OF_TWO, 2, work(naive_bayes=True))
    holds, is_last = X != 0, ONE_OF_TWO == 1
    share = (holds[is_last].sum(axis=0) + 1) / (is_last.sum() + 2)
    other = (holds[~is_last].sum(axis=0) + 1) / ((~is_last).sum() + 2)
    ratios = np.log(share / other)
    expected = LogisticRegression(C=0.5, tol=1e-9, max_iter=5000).fit(X * ratios, ONE_OF_TWO)
    assert np.allclose(ours.weight[:, 1] - ours.weight[:, 0], expected.coef_[0] * ratios, atol=5e-3)


def test_a_deadline_is_kept_and_the_fit_so_far_handed_back(work: Callable[..., Any]) -> None:
    large = RANDOM.normal(size=(20_000, 200)) * np.geomspace(1, 100, 200)
    targets = (large[:, 0] > 0).astype(np.int64)
    late = replace(work(), budget=Budget(0.1, 1))
    started = time.monotonic()
    ours = fit_logistic(large, targets, 2, late)
    assert ours.stopped == "deadline"
    assert time.monotonic() - started < 1.0
    assert np.isfinite(ours.weight).all()
    assert ours.history


def test_every_iteration_is_told(work: Callable[..., Any]) -> None:
    told: list[float] = []
    heard = SimpleNamespace(update=lambda stage, done, total, note: told.append(done), say=lambda *_: None)
    ours = fit_logistic(X, ONE_OF_TWO, 2, replace(work(), progress=heard))
    assert told[:-1] == [entry["epoch"] for entry in ours.history]
    assert told[-1] == work().hyperparameters["max_iterations"]
    assert ours.history[-1]["loss"] < ours.history[0]["loss"]


def test_squares_give_scikit_learns_ridge(work: Callable[..., Any]) -> None:
    asked = work()
    asked = replace(asked, hyperparameters={**asked.hyperparameters, "loss": "squares"})
    ours = fit_logistic(X, ONE_OF_THREE, 3, asked)
    expected = RidgeClassifier(alpha=2.0).fit(X, ONE_OF_THREE)
    assert np.allclose(X @ ours.weight + ours.bias, expected.decision_function(X), atol=2e-3)


def test_root_weights_lie_between_equal_rows_and_equal_labels(work: Callable[..., Any]) -> None:
    rare = np.where(np.arange(300) < 20, ONE_OF_THREE, 0)
    said = [
        (X @ fit.weight + fit.bias).argmax(axis=1)
        for fit in (
            fit_logistic(X, rare, 3, work(class_weights=weights)) for weights in ("none", "root", "balanced")
        )
    ]
    rarely, more, most = ((labels > 0).sum() for labels in said)
    assert rarely < more < most
