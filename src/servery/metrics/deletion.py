"""Whether an explanation names what matters: how fast a score falls when what it names first is deleted first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def deletion_steps(order: Sequence[int], steps: int) -> list[list[int]]:
    """Return which parts are gone after each step, none before the first and all after the last.

    >>> deletion_steps([2, 0, 1, 3], 2)
    [[], [2, 0], [2, 0, 1, 3]]
    """
    ends = np.linspace(0, len(order), steps + 1).round().astype(int)
    return [list(order[:end]) for end in ends.tolist()]


def area_under_deletion(scores: np.ndarray) -> np.ndarray:
    """Return the mean score over the shares deleted from 0 to 1: the lower, the more the first parts mattered.

    Args:
        scores: After each step of `deletion_steps`, float64, (..., steps + 1).

    Source: Petsiuk, Das and Saenko (2018), RISE: randomized input sampling for explanation of black-box models,
    section 4.2; Samek et al. (2017), Evaluating the visualization of what a deep neural network has learned, on the
    comparison with a random order.

    >>> area_under_deletion(np.array([1.0, 0.0, 0.0])).tolist()
    0.25
    """
    return np.asarray(((scores[..., 1:] + scores[..., :-1]) / 2).mean(axis=-1))
