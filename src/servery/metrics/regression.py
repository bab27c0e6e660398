"""How far predicted numbers are from the true ones."""

from __future__ import annotations

import numpy as np


def r_squared(targets: np.ndarray, predicted: np.ndarray) -> float:
    """Return the share of the targets' variance that the predictions explain; below 0 worse than their mean.

    Not finite where all targets are equal.

    >>> r_squared(np.array([1.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0]))
    1.0
    """
    spread = float(((targets - targets.mean()) ** 2).sum())
    return 1.0 - float(((targets - predicted) ** 2).sum()) / spread if spread > 0 else float("nan")


def error_metrics(targets: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Return root mean squared error, mean absolute error and the mean signed error.

    >>> error_metrics(np.array([1.0, 2.0]), np.array([2.0, 2.0]))["mae"]
    0.5
    """
    errors = predicted - targets
    return {
        "rmse": float(np.sqrt((errors**2).mean())),
        "mae": float(np.abs(errors).mean()),
        "bias": float(errors.mean()),
    }
