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
    """

    name = "linear"

    def __init__(self, weight: np.ndarray, bias: np.ndarray) -> None:
        self.weight = weight
        self.bias = bias

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

    def save(self, folder: Path) -> None:
        """Write `weights.safetensors`."""
        save_file({"weight": self.weight, "bias": self.bias}, folder / FILE)

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> Linear:
        """Read `weights.safetensors`.

        Raises:
            ArtifactError: The weights are torn or of other shapes.
        """
        try:
            tensors = load_file(folder / FILE)
            weight, bias = tensors["weight"], tensors["bias"]
        except (OSError, SafetensorError, KeyError) as error:
            raise ArtifactError(f"The weights in {folder.name} cannot be read: {error}.") from error
        if weight.ndim != 2 or bias.shape != weight.shape[1:]:
            raise ArtifactError(
                f"The weights in {folder.name} are {weight.shape} and {bias.shape}; "
                "expected (features, labels) and (labels,)."
            )
        return cls(weight, bias)


RUNTIME = Linear
