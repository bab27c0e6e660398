"""Tensors as they came, stacked into a batch; numbers can be brought to mean 0 and deviation 1 on the way."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.errors import ArtifactError, InputError
from servery.models.encoder import Batch, Encoder


class Tensors(Encoder):
    """One array a column, with an axis of rows in front; the columns are named as the network's inputs are.

    Args:
        columns: Names of the tensor columns, in order.
        scales: Of columns that are scaled: the mean to subtract and the deviation to divide by; they become float32.
    """

    name = "tensors"

    def __init__(
        self, columns: Sequence[str], scales: Mapping[str, tuple[float, float]] | None = None
    ) -> None:
        self.columns = tuple(columns)
        self.scales = dict(scales or {})

    @classmethod
    def fit(cls, examples: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Tensors:
        """Learn one mean and one deviation a column from the training rows."""
        scales = {}
        for column in columns:
            numbers = np.concatenate([np.ravel(example[column]) for example in examples]).astype(np.float64)
            scales[column] = (float(numbers.mean()), float(numbers.std()) or 1.0)
        return cls(columns, scales)

    def encode(self, examples: Sequence[Mapping[str, Any]], *, cut: bool = False) -> Batch:
        """Return the arrays, each (rows, ...).

        Raises:
            InputError: The rows differ in shape.
        """
        return {column: self._stacked(column, examples) for column in self.columns}

    def _stacked(self, column: str, examples: Sequence[Mapping[str, Any]]) -> np.ndarray:
        rows = [example[column] for example in examples]
        shape = rows[0].shape
        if len(rows) > 1 and any(row.shape != shape for row in rows):
            raise InputError(
                f"The rows of {column!r} differ in shape; in one request they must have the same.",
                hint="send rows of another shape in a request of their own",
                param=column,
            )
        # Several times quicker than numpy's `stack`.
        stacked = np.concatenate([np.ravel(row) for row in rows]).reshape((len(rows), *shape))
        if column not in self.scales:
            return stacked
        mean, deviation = self.scales[column]
        return ((stacked - mean) / deviation).astype(np.float32)

    def state(self) -> dict[str, Any]:
        """Return the columns and the scales."""
        return {
            "columns": list(self.columns),
            "scales": {column: list(scale) for column, scale in self.scales.items()},
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> Tensors:
        """Rebuild the encoder.

        Raises:
            ArtifactError: The state is not one this encoder wrote.
        """
        try:
            columns = [str(column) for column in state["columns"]]
            scales = {str(column): (float(m), float(d)) for column, (m, d) in state["scales"].items()}
            if not columns or not scales.keys() <= set(columns):
                raise ValueError("scales of columns that are not there")
            if not all(
                math.isfinite(mean) and 0 < deviation < math.inf for mean, deviation in scales.values()
            ):
                raise ValueError("a scale that is not finite and positive")
            return cls(columns, scales)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ArtifactError(f"The state of the encoder 'tensors' is torn: {error!r}.") from error
