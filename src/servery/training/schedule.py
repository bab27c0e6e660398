"""How the learning rate moves over a training."""

from __future__ import annotations

import math


def learning_rate(peak: float, share: float, schedule: str, warmup_share: float) -> float:
    """Return the learning rate at one moment of the training.

    Args:
        peak: The highest learning rate.
        share: How much of the training is over, from 0.0 to 1.0.
        schedule: "cosine" falls from the peak to zero; "constant" stays there.
        warmup_share: Share of the training in which it climbs from zero to the peak.

    Source: Loshchilov, Hutter (2017), SGDR, section 3 (one cosine, no restart); Goyal et al. (2017),
    Accurate, Large Minibatch SGD, section 2.2 (gradual warm-up).

    >>> [round(learning_rate(1.0, share, "cosine", 0.2), 2) for share in (0.1, 0.2, 0.6, 1.0)]
    [0.5, 1.0, 0.5, 0.0]
    """
    if share < warmup_share:
        return peak * share / warmup_share
    if schedule == "constant":
        return peak
    rest = (share - warmup_share) / max(1.0 - warmup_share, 1e-12)
    return peak * 0.5 * (1.0 + math.cos(math.pi * min(rest, 1.0)))
