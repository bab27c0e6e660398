"""What a model that may abstain is worth: how often it answers, and how right it is then."""

from __future__ import annotations

import numpy as np


def answered_metrics(abstains: np.ndarray, quality: np.ndarray) -> dict[str, float]:
    """Return `coverage`, the share of rows answered, and `answered_quality`, how right those are on average.

    Args:
        abstains: Whether the model abstained, bool, (rows,).
        quality: How right each answer is or would have been, from 0 to 1, (rows,).

    Source: El-Yaniv and Wiener (2010), On the foundations of noise-free selective classification, section 2.

    >>> answered_metrics(np.array([True, False, False]), np.array([0.0, 1.0, 1.0]))["answered_quality"]
    1.0
    """
    answered = ~abstains
    mean = float(quality[answered].mean()) if answered.any() else float("nan")
    return {"coverage": float(answered.mean()), "answered_quality": mean}


def scope_metrics(abstains: np.ndarray, is_right: np.ndarray, is_outside: np.ndarray) -> dict[str, float]:
    """Return the share of inside rows answered rightly, and the share of outside rows that were not answered.

    Args:
        abstains: Whether the model abstained, bool, (rows,).
        is_right: Whether the answer is or would have been right, bool, (rows,).
        is_outside: Whether no label fits the row, bool, (rows,).

    Source: Larson et al. (2019), An evaluation dataset for intent classification and out-of-scope prediction,
    section 3.2.

    >>> inside, outside = np.array([False, False, True]), np.array([False, True, True])
    >>> scope_metrics(abstains=outside, is_right=~outside, is_outside=inside)
    {'in_scope_accuracy': 0.5, 'out_of_scope_recall': 1.0}
    """
    found = {
        "in_scope_accuracy": (~abstains & is_right)[~is_outside],
        "out_of_scope_recall": abstains[is_outside],
    }
    return {name: float(rows.mean()) for name, rows in found.items() if len(rows)}
