"""Linear models in plain numpy: one product of the batch with the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from servery.errors import ArtifactError
from servery.models.encoder import Batch
from servery.models.runtime import Runtime

FILE = "weights.safetensors"


class Linear(Runtime):
    """`outputs = x @ weight + bias`, for dense batches (`x`) and batches in compressed rows.

    Args:
        weight: float32, (features, labels).
        bias: float32, (labels,).
        means: Of the features over the training rows, float32, (features,); None where nobody looked.
    """

    name = "linear"

    def __init__(self, weight: np.ndarray, bias: np.ndarray, means: np.ndarray | None = None) -> None:
        self.weight = weight
        self.bias = bias
        self.means = means

    def run(self, batch: Batch) -> np.ndarray:
        """Return the logits, float32, (rows, labels)."""
        if "x" in batch:
            return np.asarray(batch["x"] @ self.weight + self.bias, np.float32)
        offsets = batch["offsets"]
        starts, lengths = offsets[:-1], np.diff(offsets)
        products = self.weight[batch["indices"]] * batch["values"][:, None]  # (entries, labels)
        outputs = np.tile(self.bias, (len(starts), 1))
        # An empty row has no sum of its own: reduceat would give it its neighbour's first entry.
        filled = lengths > 0
        if filled.any():
            outputs[filled] += np.add.reduceat(products, starts[filled])
        return np.asarray(outputs, np.float32)

    @property
    def has_contributions(self) -> bool:
        """Whether the means of the features are known."""
        return self.means is not None

    def contributions(self, batch: Batch) -> tuple[np.ndarray, np.ndarray]:
        """Return the weights times how far each feature of `x` is from its mean.

        Source: Lundberg and Lee (2017), A unified approach to interpreting model predictions, corollary 1 (linear
        SHAP of independent features).
        """
        assert self.means is not None
        weight, means = self.weight.astype(np.float64), self.means.astype(np.float64)
        return self.bias + means @ weight, (batch["x"] - means)[:, :, None] * weight

    def save(self, folder: Path) -> None:
        """Write `weights.safetensors`."""
        means = {} if self.means is None else {"means": self.means}
        save_file({"weight": self.weight, "bias": self.bias, **means}, folder / FILE)

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> Linear:
        """Read `weights.safetensors`.

        Raises:
            ArtifactError: The weights are torn or of other shapes.
        """
        try:
            tensors = load_file(folder / FILE)
            weight, bias, means = tensors["weight"], tensors["bias"], tensors.get("means")
        except (OSError, SafetensorError, KeyError) as error:
            raise ArtifactError(f"The weights in {folder.name} cannot be read: {error}.") from error
        fits_means = means is None or means.shape == weight.shape[:1]
        if weight.ndim != 2 or bias.shape != weight.shape[1:] or not fits_means:
            raise ArtifactError(
                f"The weights in {folder.name} are {weight.shape} and {bias.shape}; "
                "expected (features, labels) and (labels,)."
            )
        return cls(weight, bias, means)


RUNTIME = Linear
