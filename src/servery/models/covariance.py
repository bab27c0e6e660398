"""How alike two designs' values are under a Gaussian process: kernels in plain numpy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

SMOOTHNESS = ("rough", "smooth", "analytic")


@dataclass(frozen=True)
class Covariance:
    """A variance, a length for each feature, and a shape.

    Source: Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, section 4.2.1: "rough" is
    Matern with nu = 3/2, "smooth" with nu = 5/2 (equation 4.17), "analytic" the squared exponential (4.9).

    Attributes:
        variance: Of the values, in variances of the training targets.
        lengths: How far one walks along each feature until the values differ, float64, (features,).
        smoothness: One of `SMOOTHNESS`.
    """

    variance: float
    lengths: np.ndarray
    smoothness: str

    def between(self, one: np.ndarray, other: np.ndarray) -> np.ndarray:
        """Return the covariances, float64, (rows of one, rows of other).

        Example:
            >>> Covariance(2.0, np.array([1.0]), "analytic").between(np.zeros((1, 1)), np.zeros((2, 1)))
            array([[2., 2.]])
        """
        a, b = one / self.lengths, other / self.lengths
        squares = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1) - 2.0 * a @ b.T
        distances = np.sqrt(np.maximum(squares, 0.0))
        if self.smoothness == "analytic":
            return np.asarray(self.variance * np.exp(-0.5 * distances**2))
        if self.smoothness == "smooth":
            steps = np.sqrt(5.0) * distances
            return np.asarray(self.variance * (1.0 + steps + steps**2 / 3.0) * np.exp(-steps))
        steps = np.sqrt(3.0) * distances
        return np.asarray(self.variance * (1.0 + steps) * np.exp(-steps))

    def state(self) -> dict[str, Any]:
        """Return it as plain JSON types."""
        return {
            "variance": self.variance,
            "lengths": self.lengths.tolist(),
            "smoothness": self.smoothness,
        }

    @classmethod
    def restore(cls, state: Mapping[str, Any], features: int) -> Covariance:
        """Rebuild a covariance over so many features.

        Raises:
            ValueError: It is not one that `state` wrote.
        """
        lengths = np.array(state["lengths"], np.float64).reshape(features)
        variance = float(state["variance"])
        if state["smoothness"] not in SMOOTHNESS:
            raise ValueError(f"smoothness {state['smoothness']!r}")
        if not (np.isfinite([variance, *lengths]).all() and variance > 0 and (lengths > 0).all()):
            raise ValueError("a variance or length that is not finite and positive")
        return cls(variance, lengths, str(state["smoothness"]))
