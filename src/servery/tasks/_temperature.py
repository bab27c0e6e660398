"""The one number that softens or sharpens all scores of a model."""

from __future__ import annotations

import math
from collections.abc import Callable

SMALLEST, LARGEST = 0.05, 20.0
STEPS = 32
"""Each keeps 0.618 of the range: the temperature comes out to one part in a million."""

_GOLDEN = (math.sqrt(5) - 1) / 2


def fit_temperature(loss: Callable[[float], float]) -> float:
    """Return the temperature that minimises a summed log loss, by golden-section search.

    A weak belief that the temperature is near 1 (its log is normal with deviation 1) is added: on a small
    part without a mistake the loss alone would drive the scores to certainty; on a thousand rows it changes
    nothing.

    Args:
        loss: Gives the log loss at a temperature, summed over the rows; convex in 1 / temperature.

    Source: Guo et al. (2017), On calibration of modern neural networks, section 4.2; Kiefer (1953),
    Sequential minimax search for a maximum.

    >>> round(fit_temperature(lambda temperature: 1000 * (temperature - 2) ** 2), 3)
    2.0
    """

    def cost(place: float) -> float:
        return loss(math.exp(place)) + place**2 / 2

    low, high = math.log(SMALLEST), math.log(LARGEST)
    left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
    cost_left, cost_right = cost(left), cost(right)
    for _ in range(STEPS):
        if cost_left < cost_right:
            high, right, cost_right = right, left, cost_left
            left = high - _GOLDEN * (high - low)
            cost_left = cost(left)
        else:
            low, left, cost_left = left, right, cost_right
            right = low + _GOLDEN * (high - low)
            cost_right = cost(right)
    return math.exp((low + high) / 2)
