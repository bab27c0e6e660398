"""From which confidence a model answers at all: what a mistake and a missing answer cost, weighed on validation."""

from __future__ import annotations

import numpy as np

STEPS = 200
"""Candidates that are compared, evenly spread over the confidences."""
SMOOTHING = 5
"""Candidates whose cost is averaged: one lucky row makes a valley no wider than one step."""
HALF_WEIGHT = 20.0
"""Mistakes at which what the rows say counts as much as what believable scores want; chosen by design, not tuned."""


def fit_least_confidence(
    confidence: np.ndarray, answered: np.ndarray, abstained: np.ndarray, cost: float
) -> float:
    """Return the confidence from which answering is cheaper than abstaining; 0 where it always is.

    Believable scores want the threshold `1 - cost`. What the rows say draws it away from there, the more the more
    mistakes there were to learn from.

    Args:
        confidence: How right the model expects each row's answer to be, from 0 to 1, (rows,).
        answered: What answering the row costs, (rows,): 0 where the answer is right, 1 where it is wrong.
        abstained: What abstaining costs, (rows,): `cost`, or 0 where no answer is right.
        cost: Of abstaining from an answer that there was.

    Source: Chow (1970), On optimum recognition error and reject tradeoff, section II, for `1 - cost`; the empirical
    choice: El-Yaniv and Wiener (2010), On the foundations of noise-free selective classification, section 3.

    >>> sure = np.array([0.1, 0.4, 0.8, 0.9] * 50)
    >>> 0.35 < fit_least_confidence(sure, 1.0 * (sure < 0.5), np.full(200, 0.3), 0.3) <= 0.8
    True
    """
    candidates = np.linspace(0.0, 1.0, STEPS + 1)
    costs = total_costs(candidates, confidence, answered, abstained)
    padded = np.pad(costs, SMOOTHING // 2, mode="edge")
    smooth = np.convolve(padded, np.full(SMOOTHING, 1 / SMOOTHING), mode="valid")
    cheapest = np.flatnonzero(smooth <= smooth.min() + 1e-9)
    # In the middle of what is equally cheap: the next data will not break where these did.
    own = float(candidates[cheapest[len(cheapest) // 2]])
    mistakes = float(answered.sum())
    weight = mistakes / (mistakes + HALF_WEIGHT)
    chosen = weight * own + (1 - weight) * (1.0 - cost)
    saves = total_costs(np.array([chosen]), confidence, answered, abstained)[0] < mistakes
    return chosen if saves else 0.0


def total_costs(
    thresholds: np.ndarray, confidence: np.ndarray, answered: np.ndarray, abstained: np.ndarray
) -> np.ndarray:
    """Return what all rows cost where the model answers from each threshold on, float64, (thresholds,)."""
    order = np.argsort(confidence, kind="stable")
    below = np.concatenate([[0.0], np.cumsum((abstained - answered)[order])])  # (rows + 1,)
    return np.asarray(answered.sum() + below[np.searchsorted(confidence[order], thresholds, side="left")])
