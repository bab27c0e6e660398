"""Logistic regression by L-BFGS: sparse or dense, one label or several a row, stopped in time."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize, sparse

from servery.models.recipe import Work

GRADIENT_TOLERANCE = 1e-5
"""Largest entry of the gradient of the mean loss at which the fit ends."""
LOSS_TOLERANCE = 1e-9
"""Gain in the mean loss by one iteration at which the fit ends."""
CORRECTION_BYTES = 512 * 2**20
"""Memory for L-BFGS's history of steps."""
SMOOTHING = 1.0
"""Texts added to each count of the naive Bayes ratios."""

Matrix = np.ndarray | sparse.csr_array


@dataclass(frozen=True)
class LogisticFit:
    """Learned weights and how it went.

    Attributes:
        weight: float32, (features, labels).
        bias: float32, (labels,).
        history: One dict an iteration: epoch, seconds, loss.
        stopped: "converged", "iterations" or "deadline".
    """

    weight: np.ndarray
    bias: np.ndarray
    history: tuple[Mapping[str, float], ...]
    stopped: str


def fit_logistic(x: Matrix, targets: np.ndarray, label_count: int, work: Work) -> LogisticFit:
    """Minimise the mean log loss plus half the squared weights divided by (inverse_penalty * rows).

    Two labels are one decision, whose logits are -z/2 and z/2. Reads from the hyperparameters: inverse_penalty
    (scikit-learn's C), class_weights ("none" | "root" | "balanced"), naive_bayes (weights are multiples of the log
    ratios of naive Bayes), max_iterations; and, where there, tolerance: the gain in loss under which the fit ends, and
    loss: "log", or "squares" for each label's distance from 1 and -1, which makes it ridge regression.

    Source of the naive Bayes ratios: Wang and Manning (2012), Baselines and bigrams, section 2; of the squares: Rifkin
    and Klautau (2004), In defense of one-vs-all classification, section 3.

    Args:
        x: Features, (rows, features).
        targets: As the task encodes them: int64 (rows,), or float32 (rows, labels).
        label_count: Number of labels.
        work: Gives hyperparameters, deadline and progress.
    """
    is_binary = targets.ndim == 1 and label_count == 2
    wanted = _wanted(targets, 1 if is_binary else label_count)  # (rows, columns)
    has_squares = work.hyperparameters.get("loss") == "squares"
    chance = _squares if has_squares else _softmax if targets.ndim == 1 and not is_binary else _sigmoid
    weights = _row_weights(targets, wanted, work.hyperparameters["class_weights"])
    ratios = _naive_bayes_ratios(x, wanted) if work.hyperparameters["naive_bayes"] else np.float64(1.0)
    features, columns = x.shape[1], wanted.shape[1]
    penalty = 1.0 / (work.hyperparameters["inverse_penalty"] * len(wanted))
    transposed = x.T.tocsr() if sparse.issparse(x) else x.T

    def loss_and_gradient(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weight, bias = flat[:-columns].reshape(features, columns), flat[-columns:]
        losses, chances = chance(x @ (weight * ratios) + bias, wanted)
        error = weights * (chances - wanted) / len(wanted)  # (rows, columns)
        gradient = (transposed @ error) * ratios + penalty * weight
        loss = float((weights * losses).sum() / len(wanted) + 0.5 * penalty * (weight**2).sum())
        return loss, np.concatenate([gradient.ravel(), error.sum(axis=0)])

    best, history, stopped = _minimise(loss_and_gradient, (features + 1) * columns, work)
    weight = best[:-columns].reshape(features, columns) * ratios
    bias = best[-columns:]
    if is_binary:
        weight, bias = weight * [[-0.5, 0.5]], bias * [-0.5, 0.5]
    return LogisticFit(weight.astype(np.float32), bias.astype(np.float32), history, stopped)


def _minimise(
    function: Callable[[np.ndarray], tuple[float, np.ndarray]], size: int, work: Work
) -> tuple[np.ndarray, tuple[Mapping[str, float], ...], str]:
    started, deadline = time.monotonic(), work.budget.deadline_seconds
    most = int(work.hyperparameters["max_iterations"])
    history: list[Mapping[str, float]] = []

    def watch(intermediate_result: Any) -> None:
        seconds = time.monotonic() - started
        loss = float(intermediate_result.fun)
        history.append({"epoch": len(history) + 1, "seconds": seconds, "loss": loss})
        work.progress.update("Fit", len(history), most, f"loss {loss:.4f}")
        # The next iteration takes about as long as those before it.
        if deadline is not None and seconds * (1 + 1 / len(history)) > deadline:
            raise StopIteration

    corrections = int(np.clip(CORRECTION_BYTES / (16 * size), 3, 10))
    tolerance = float(work.hyperparameters.get("tolerance", LOSS_TOLERANCE))
    options = {"maxiter": most, "maxcor": corrections, "gtol": GRADIENT_TOLERANCE, "ftol": tolerance}
    result = optimize.minimize(  # type: ignore[call-overload]
        function, np.zeros(size), jac=True, method="L-BFGS-B", callback=watch, options=options
    )
    early = "iterations" if len(history) >= most else "deadline"
    stopped = "converged" if result.success else early
    work.progress.update("Fit", most, most, f"{len(history)} iterations, {stopped}")
    return result.x, tuple(history), stopped


def _softmax(logits: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_sum = np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    log_chances = shifted - log_sum
    losses: np.ndarray = -(wanted * log_chances).sum(axis=1, keepdims=True)
    chances: np.ndarray = np.exp(log_chances)
    return losses, chances


def _sigmoid(logits: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    losses: np.ndarray = np.logaddexp(0.0, logits) - wanted * logits
    chances: np.ndarray = 0.5 * (
        1.0 + np.tanh(0.5 * logits)
    )  # the sigmoid, written so that it cannot overflow
    return losses, chances


def _squares(scores: np.ndarray, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return half the squared distances from 1 and -1; of what comes second only its distance from `wanted` is used."""
    distances = scores - (2 * wanted - 1)
    return 0.5 * distances**2, distances + wanted


def _wanted(targets: np.ndarray, columns: int) -> np.ndarray:
    if targets.ndim == 2:
        return np.asarray(targets, np.float64)
    places = np.array([1]) if columns == 1 else np.arange(columns)
    return np.asarray(targets[:, None] == places, np.float64)


def _row_weights(targets: np.ndarray, wanted: np.ndarray, class_weights: str) -> np.ndarray:
    if class_weights not in ("balanced", "root"):
        return np.ones((len(wanted), 1))
    if targets.ndim == 1:
        counts = np.bincount(targets)
        if class_weights == "root":  # half way between rows that count the same and labels that do
            weights = 1 / np.sqrt(counts[targets])
            return np.asarray(weights / weights.mean())[:, None]
        return np.asarray(len(targets) / (np.count_nonzero(counts) * counts[targets]))[:, None]
    share = wanted.mean(axis=0).clip(1 / len(wanted), 1 - 1 / len(wanted))  # (labels,)
    return np.asarray(np.where(wanted > 0, 0.5 / share, 0.5 / (1 - share)))


def _naive_bayes_ratios(x: Matrix, wanted: np.ndarray) -> np.ndarray:
    holds = _holds(x).T  # (features, rows)
    with_label = (holds @ wanted + SMOOTHING) / (wanted.sum(axis=0) + 2 * SMOOTHING)
    without = (holds @ (1 - wanted) + SMOOTHING) / ((1 - wanted).sum(axis=0) + 2 * SMOOTHING)
    return np.asarray(np.log(with_label / without))  # (features, columns)


def _holds(x: Matrix) -> Matrix:
    if isinstance(x, np.ndarray):
        return np.asarray(x != 0, np.float64)
    return sparse.csr_array((np.ones_like(x.data), x.indices, x.indptr), shape=x.shape)
