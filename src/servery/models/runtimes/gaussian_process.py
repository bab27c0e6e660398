"""A Gaussian process in plain numpy: the mean of what agrees with the rows it keeps, and how unsure that leaves it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from servery.errors import ArtifactError
from servery.models.covariance import Covariance
from servery.models.encoder import Batch
from servery.models.runtime import Runtime

FILE = "process.safetensors"


class GaussianProcess(Runtime):
    """Predictive mean and deviation.

    Source: Rasmussen and Williams (2006), Gaussian Processes for Machine Learning, algorithm 2.1.

    Args:
        kept: The rows that were learned from, float64, (kept, features).
        weights: Inverse covariance of the kept rows times their targets, float64, (kept,).
        whitening: Inverse of the lower Cholesky factor of that covariance, float64, (kept, kept).
        covariances: Their sum is the covariance of the values.
        noise: Variance of one reading around its value.
        center: Mean of the training targets.
        scale: Their deviation; everything above is in units of it.
    """

    name = "gaussian_process"

    def __init__(
        self,
        kept: np.ndarray,
        weights: np.ndarray,
        whitening: np.ndarray,
        covariances: Sequence[Covariance],
        noise: float,
        center: float,
        scale: float,
    ) -> None:
        self.kept = kept
        self.weights = weights
        self.whitening = whitening
        self.covariances = tuple(covariances)
        self.noise = noise
        self.center = center
        self.scale = scale

    def run(self, batch: Batch) -> np.ndarray:
        """Return the number and its deviation, noise of a reading included, float32, (rows, 2)."""
        x = batch["x"].astype(np.float64)
        alike = sum(covariance.between(x, self.kept) for covariance in self.covariances)  # (rows, kept)
        known = ((alike @ self.whitening.T) ** 2).sum(axis=1)  # (rows,)
        prior = sum(covariance.variance for covariance in self.covariances) + self.noise
        deviation = np.sqrt(np.maximum(prior - known, 0.01 * self.noise))
        value = alike @ self.weights * self.scale + self.center
        return np.stack([value, deviation * self.scale], axis=1).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write `process.safetensors`."""
        arrays = {"kept": self.kept, "weights": self.weights, "whitening": self.whitening}
        save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, folder / FILE)

    def options(self) -> dict[str, Any]:
        """Return the covariances, the noise and the units."""
        return {
            "covariances": [covariance.state() for covariance in self.covariances],
            "noise": self.noise,
            "center": self.center,
            "scale": self.scale,
        }

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> GaussianProcess:
        """Read `process.safetensors`.

        Raises:
            ArtifactError: The file is torn, or the options are not ours.
        """
        try:
            arrays = load_file(folder / FILE)
            kept, weights, whitening = arrays["kept"], arrays["weights"], arrays["whitening"]
            if kept.ndim != 2 or weights.shape != kept.shape[:1] or whitening.shape != 2 * kept.shape[:1]:
                raise ValueError(f"shapes {kept.shape}, {weights.shape}, {whitening.shape}")
            covariances = [Covariance.restore(s, kept.shape[1]) for s in options["covariances"]]
            numbers = [float(options[name]) for name in ("noise", "center", "scale")]
            if not np.isfinite(numbers).all() or numbers[0] < 0 or numbers[2] <= 0 or not covariances:
                raise ValueError("noise, center or scale")
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"The Gaussian process in {folder.name} cannot be read: {error}.") from error
        return cls(kept, weights, whitening, covariances, *numbers)


RUNTIME = GaussianProcess
