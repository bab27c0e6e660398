"""Gaussian process regression on tables: few rows, smooth answers, and how unsure each one is."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from servery.data.columns import Column
from servery.data.dataset import Dataset
from servery.models.covariance import Covariance
from servery.models.encoders.rows import Rows
from servery.models.families._assembly import TABLE_KINDS, assemble, columns_for, say_left_out
from servery.models.recipe import Cost, Made, Recipe, Work
from servery.models.runtimes.gaussian_process import GaussianProcess

MOST_STEPS = 100
SECONDS_PER_CUBE = 1.2e-9
TRANSFORMS = ("standard", "quantile")
LENGTHS, VARIANCES, NOISE = (1e-2, 1e3), (1e-5, 1e5), (1e-6, 1.0)
"""Bounds, in deviations of a feature and in variances of the targets."""
FIRST_NOISE = 0.01
JITTER = 1e-9
ORDERS = {"rough": 1.5, "smooth": 2.5, "analytic": np.inf}
Term = tuple[str, float, float]
SHAPES: Mapping[str, tuple[Term, ...]] = {
    "analytic": (("analytic", 1.0, 1.0),),
    "smooth": (("smooth", 1.0, 1.0),),
    "smooth and rough": (("smooth", 1.0, 3.0), ("rough", 0.1, 0.5)),
}
"""What is tried: smoothness, first variance and first length of each term."""


class GaussianProcessRegression(Recipe):
    """Lengths, variances and noise by the marginal likelihood; the shape and the scales with the largest one stay."""

    name = "gaussian-process"
    title = "Gaussian process"
    summary = (
        "Gaussian process regression with a length for each column; shape of the covariance and scale of the columns "
        "are those with the largest marginal likelihood (Rasmussen and Williams 2006, Gaussian Processes for Machine "
        "Learning, algorithm 2.1 and section 5.4.1)."
    )
    form = "table"
    tasks = frozenset({"regression"})
    defaults = {"most_rows": 2000, "rows_to_choose_by": 500, "refining_steps": 20}
    search_space = {"rows_to_choose_by": (500, 1000)}
    can_stop_early = False

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the cubes of the rows that are kept and chosen by."""
        rows = min(len(dataset), hyperparameters["most_rows"])
        chosen_by = min(rows, hyperparameters["rows_to_choose_by"])
        climbs = len(TRANSFORMS) * len(SHAPES) * MOST_STEPS * chosen_by**3
        seconds = 1.0 + (climbs + hyperparameters["refining_steps"] * rows**3) * SECONDS_PER_CUBE
        reason = f"{rows:,} rows kept, covariances chosen by {chosen_by:,}"
        return Cost(seconds, 150 * 2**20 + 8 * rows**2 * (3 + len(dataset.inputs)), reason)

    def make(self, work: Work) -> Made:
        """Choose scales and covariance on some rows, then condition on as many as are kept."""
        columns = columns_for(work.train, TABLE_KINDS)
        say_left_out(work, columns)
        train = work.train.take(self._kept(work))
        targets = work.task.encode_targets(train, ())
        center, scale = float(targets.mean()), float(targets.std()) or 1.0
        examples, values = list(train.examples()), (targets - center) / scale
        best = self._chosen(work, [_encoder(examples, columns, t) for t in TRANSFORMS], examples, values)
        x = best.encoder.encode(examples)["x"].astype(np.float64)  # (rows, features)
        runtime = conditioned(x, values, best.prior, center, scale)
        return Made(assemble(work, self.name, columns, (), best.encoder, runtime, "a few products in numpy"))

    def _kept(self, work: Work) -> np.ndarray:
        rows, most = len(work.train), int(work.hyperparameters["most_rows"])
        if rows > most:
            work.progress.say(
                "Kept", f"{most:,} of {rows:,} rows: time and memory grow with their square and cube"
            )
        return np.sort(np.random.default_rng(work.seed).permutation(rows)[:most])

    def _chosen(
        self, work: Work, encoders: Sequence[Rows], examples: Sequence[Mapping[str, Any]], values: np.ndarray
    ) -> Fitted:
        drawn = np.random.default_rng([work.seed, 1]).permutation(len(values))
        some = np.sort(drawn[: int(work.hyperparameters["rows_to_choose_by"])])
        fitted = []
        for encoder in encoders:
            x = encoder.encode(examples)["x"].astype(np.float64)
            for terms in SHAPES.values():
                found = climbed(x[some], values[some], started(terms, x.shape[1]), MOST_STEPS)
                fitted.append(Fitted(encoder, found, log_likelihood(x, values, found)))
        best = max(fitted, key=lambda found: found.log_likelihood)
        x = best.encoder.encode(examples)["x"].astype(np.float64)
        refined = climbed(x, values, best.prior, int(work.hyperparameters["refining_steps"]))
        likelihood = log_likelihood(x, values, refined)
        shape = " + ".join(covariance.smoothness for covariance in refined.covariances)
        work.progress.say("Covariance", f"{shape}, log marginal likelihood {likelihood:.1f}")
        return Fitted(best.encoder, refined, likelihood)


@dataclass(frozen=True)
class Prior:
    """What is thought of the values before any is seen: covariances that add up, and the noise of a reading."""

    covariances: tuple[Covariance, ...]
    noise: float

    def over(self, x: np.ndarray) -> np.ndarray:
        """Return the covariance of readings at these features, (rows, rows)."""
        covariance = np.sum([term.between(x, x) for term in self.covariances], axis=0)
        return np.asarray(covariance + (self.noise + JITTER) * np.eye(len(x)))


@dataclass(frozen=True)
class Fitted:
    """One way to read the columns with the prior that suits it, and what the likelihood says of both."""

    encoder: Rows
    prior: Prior
    log_likelihood: float


def started(terms: Sequence[Term], features: int) -> Prior:
    """Return where the climb begins."""
    covariances = (Covariance(variance, np.full(features, length), name) for name, variance, length in terms)
    return Prior(tuple(covariances), FIRST_NOISE)


def climbed(x: np.ndarray, values: np.ndarray, start: Prior, most_steps: int) -> Prior:
    """Climb the marginal likelihood from a start.

    Args:
        x: float64, (rows, features).
        values: Of mean 0 and variance 1, (rows,).
        start: Where to begin.
        most_steps: Of the climb (L-BFGS-B).
    """
    # Imported here because they take half a second that the other recipes need not wait for.
    from scipy.optimize import fmin_l_bfgs_b
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    def climb(loss: Any, first: Any, bounds: Any) -> tuple[Any, float]:
        found, likelihood, _ = fmin_l_bfgs_b(loss, first, bounds=bounds, maxiter=most_steps)
        return found, likelihood

    kernel = WhiteKernel(start.noise, NOISE)
    for term in start.covariances:
        order = ORDERS[term.smoothness]
        kernel = ConstantKernel(term.variance, VARIANCES) * Matern(term.lengths, LENGTHS, order) + kernel
    with warnings.catch_warnings():
        # A length at its bound says that the column does not matter: no news to a caller.
        warnings.simplefilter("ignore")
        learned = GaussianProcessRegressor(kernel, optimizer=climb).fit(x, values).kernel_
    covariances: list[Covariance] = []
    for term in reversed(start.covariances):
        product, learned = learned.k1, learned.k2
        lengths = np.array(product.k2.length_scale, np.float64).reshape(-1)
        covariances.insert(0, Covariance(float(product.k1.constant_value), lengths, term.smoothness))
    return Prior(tuple(covariances), float(learned.noise_level))


def log_likelihood(x: np.ndarray, values: np.ndarray, prior: Prior) -> float:
    """Return the logarithm of the values' density (Rasmussen and Williams 2006, equation 2.30)."""
    factor = np.linalg.cholesky(prior.over(x))
    whitened = np.linalg.solve(factor, values)
    return float(
        -0.5 * (whitened @ whitened) - np.log(np.diag(factor)).sum() - len(x) / 2 * np.log(2 * np.pi)
    )


def conditioned(
    x: np.ndarray, values: np.ndarray, prior: Prior, center: float, scale: float
) -> GaussianProcess:
    """Return the process that has seen these rows.

    Args:
        x: float64, (rows, features).
        values: In deviations from the center, (rows,).
        prior: Of the values.
        center: Mean of the targets.
        scale: Their deviation.
    """
    whitening = np.linalg.inv(np.linalg.cholesky(prior.over(x)))
    weights = whitening.T @ (whitening @ values)
    return GaussianProcess(x, weights, whitening, prior.covariances, prior.noise, center, scale)


def _encoder(examples: Sequence[Mapping[str, Any]], columns: Sequence[Column], transform: str) -> Rows:
    """Return scaled numbers and marks of the categories, without a second reading of numbers of few values."""
    found = Rows.fit(examples, columns, layout="one-hot", transform=transform)
    return Rows(found.layout, found.numbers, sorted(found.times), found.categories, found.scales)


GAUSSIAN_PROCESS = GaussianProcessRegression()
