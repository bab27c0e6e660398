"""How far forecasts lie from what came, step by step; steps whose reading is missing do not count."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

NAMED_STEPS = (1, 3, 6, 12, 24, 48, 168)
"""Steps ahead whose error is named by itself."""


@dataclass(frozen=True)
class ForecastErrors:
    """Errors of each row, so that any choice of rows is measured by sums.

    Attributes:
        errors: Distance of each step from the truth, float64, (rows, steps), NaN where that is missing.
        from_median: Distance of the truth from the median of all truths, likewise.
        held: Whether the interval held the truth, float64, (rows, steps), NaN where there is none; None without any.
        widths: Width of the intervals, (rows, steps).
        promised: Share that the intervals promise.
    """

    errors: np.ndarray
    from_median: np.ndarray
    held: np.ndarray | None = None
    widths: np.ndarray | None = None
    promised: float = 0.9

    def measure(self, rows: np.ndarray) -> dict[str, float]:
        """Return every metric on these rows (places, with repeats).

        `d2` is one minus the error in errors of the median: 1 is perfect, 0 no better than a constant.

        Source: Koenker and Machado (1999), Goodness of fit and related inference processes, section 2, at the median;
        errors by step: Hyndman and Athanasopoulos (2021), Forecasting: principles and practice, section 5.8.
        """
        errors = self.errors[rows]
        metrics = {"d2": self.primary(rows), "mae": _mean(errors), "rmse": float(np.sqrt(_mean(errors**2)))}
        for step in NAMED_STEPS:
            if step <= errors.shape[1]:
                metrics[f"mae_{step}"] = _mean(errors[:, step - 1])
        if self.held is not None and self.widths is not None:
            name = f"{self.promised * 100:.0f}"
            metrics[f"interval_coverage_{name}"] = _mean(self.held[rows])
            metrics[f"interval_width_{name}"] = _mean(self.widths[rows])
        return metrics

    def primary(self, rows: np.ndarray) -> float:
        """Return `d2`."""
        base = np.nansum(self.from_median[rows])
        return float(1.0 - np.nansum(self.errors[rows]) / base) if base > 0 else 0.0


def _mean(values: np.ndarray) -> float:
    known = np.isfinite(values)
    return float(values[known].mean()) if known.any() else float("nan")
