"""Which of several designs are better than the others in something, and how much they win together."""

from __future__ import annotations

import numpy as np


def fronts(losses: np.ndarray) -> np.ndarray:
    """Return the front of each row, from 0: none of its own or a later front is as good in all and better in one.

    Source: Deb et al. (2002), A fast and elitist multiobjective genetic algorithm: NSGA-II, section III.A.

    Args:
        losses: Smaller is better, (rows, objectives).

    Example:
        >>> fronts(np.array([[1.0, 3.0], [2.0, 1.0], [3.0, 3.0]])).tolist()
        [0, 0, 1]
    """
    better = (losses[:, None] <= losses).all(axis=2) & (losses[:, None] < losses).any(axis=2)
    found = np.full(len(losses), -1)
    for front in range(len(losses)):
        is_left = found < 0
        if not is_left.any():
            break
        is_beaten = (better & is_left[:, None]).any(axis=0)
        found[is_left & ~is_beaten] = front
    return found


def hypervolume(losses: np.ndarray, worst: np.ndarray) -> float:
    """Return how much of the space up to `worst` is beaten by at least one row.

    Source: Zitzler and Thiele (1998), Multiobjective optimization using evolutionary algorithms, section 3.1; computed
    by slices along the last objective.

    Args:
        losses: Smaller is better, (rows, objectives).
        worst: What counts as nothing won, (objectives,).

    Example:
        >>> hypervolume(np.array([[1.0, 3.0], [2.0, 1.0]]), np.array([4.0, 4.0]))
        7.0
    """
    inside = losses[(losses < worst).all(axis=1)]
    if not len(inside):
        return 0.0
    if losses.shape[1] == 1:
        return float(worst[0] - inside[:, 0].min())
    inside = inside[np.argsort(inside[:, -1], kind="stable")]
    upper = np.append(inside[1:, -1], worst[-1])
    volumes = [
        hypervolume(inside[: place + 1, :-1], worst[:-1]) * (upper[place] - inside[place, -1])
        for place in range(len(inside))
        if upper[place] > inside[place, -1]
    ]
    return float(sum(volumes))
