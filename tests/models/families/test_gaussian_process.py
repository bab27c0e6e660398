"""What is special about Gaussian processes: they are what scikit-learn says, and know where they know nothing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from servery.errors import ArtifactError
from servery.models.covariance import Covariance
from servery.models.families.gaussian_process import Prior, conditioned, log_likelihood
from servery.models.recipe import find_recipe
from servery.models.runtimes.gaussian_process import GaussianProcess

RECIPE = find_recipe("gaussian-process", "table", "regression")


@pytest.mark.parametrize(("smoothness", "order"), [("rough", 1.5), ("smooth", 2.5), ("analytic", np.inf)])
def test_mean_deviation_and_likelihood_are_those_of_scikit_learn(smoothness: str, order: float) -> None:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    chance = np.random.default_rng(3)
    x, new = chance.normal(size=(40, 3)), chance.normal(size=(9, 3))
    values, lengths = np.sin(x[:, 0]) + x[:, 1], np.array([0.7, 1.5, 4.0])
    prior = Prior((Covariance(1.3, lengths, smoothness),), 0.02)
    kernel = ConstantKernel(1.3) * Matern(lengths, nu=order) + WhiteKernel(0.02)
    theirs = GaussianProcessRegressor(kernel, optimizer=None, alpha=1e-9).fit(x, values)
    mean, deviation = theirs.predict(new, return_std=True)
    ours = conditioned(x, values, prior, 5.0, 2.0).run({"x": new})
    assert np.allclose(ours[:, 0], mean * 2 + 5, atol=1e-5)
    assert np.allclose(ours[:, 1], deviation * 2, atol=1e-5)
    assert log_likelihood(x, values, prior) == pytest.approx(theirs.log_marginal_likelihood_value_, abs=1e-6)


def test_it_is_less_sure_far_from_what_it_has_seen(
    make_work: Callable[..., Any], field_sample: Callable[..., Any]
) -> None:
    rows = field_sample("table", "regression")
    work = make_work(RECIPE, "regression", rows, rows, rows_to_choose_by=80, refining_steps=3)
    predictor = RECIPE.make(work).predictor
    near = next(iter(rows.examples()))
    numbers = {name: value * 100 for name, value in near.items() if isinstance(value, (int, float))}
    outputs = predictor.outputs([near, {**near, **numbers}])
    assert outputs[1, 1] > 2 * outputs[0, 1]


def test_a_torn_process_is_refused(tmp_path: Path) -> None:
    process = conditioned(
        np.eye(3), np.zeros(3), Prior((Covariance(1.0, np.ones(3), "smooth"),), 0.1), 0.0, 1.0
    )
    process.save(tmp_path)
    options = process.options()
    assert GaussianProcess.load(tmp_path, options, 1).run({"x": np.eye(3)}).shape == (3, 2)
    short = [{**options["covariances"][0], "lengths": [1.0]}]
    for wrong in ({}, {**options, "noise": float("nan")}, {**options, "covariances": short}):
        with pytest.raises(ArtifactError):
            GaussianProcess.load(tmp_path, wrong, 1)
    (tmp_path / "process.safetensors").write_bytes(b"torn")
    with pytest.raises(ArtifactError):
        GaussianProcess.load(tmp_path, options, 1)
