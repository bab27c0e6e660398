"""An isolation forest in plain numpy: how few random cuts it takes to have a row alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from servery.errors import ArtifactError
from servery.models.encoder import Batch
from servery.models.runtime import Runtime

FILE = "forest.safetensors"
ROWS_AT_ONCE = 512
_NAMES = ("features", "thresholds", "children", "lengths", "usual", "owners")


class IsolationForest(Runtime):
    """Scores of rows, and of rows one of whose columns holds what it usually holds.

    Source: Liu, Ting and Zhou (2008), Isolation forest, sections 2 and 3.

    Args:
        features: Feature that each node cuts, -1 at a leaf, int32, (trees, nodes).
        thresholds: Rows with no more go left, float32, (trees, nodes).
        children: Left and right node, a leaf's are itself, int32, (trees, nodes, 2).
        lengths: Of a leaf: cuts on the way and those its training rows would still need, float32, (trees, nodes).
        usual: What each feature usually is, float32, (features,).
        owners: The column each feature is of, int32, (features,).
        usual_length: Cuts that a random tree needs on average, of as many rows as each tree learned from.
    """

    name = "isolation_forest"

    def __init__(
        self,
        features: np.ndarray,
        thresholds: np.ndarray,
        children: np.ndarray,
        lengths: np.ndarray,
        usual: np.ndarray,
        owners: np.ndarray,
        usual_length: float,
    ) -> None:
        self.features = features
        self.thresholds = thresholds
        self.children = children
        self.lengths = lengths
        self.usual = usual
        self.owners = owners
        self.usual_length = usual_length

    def run(self, batch: Batch) -> np.ndarray:
        """Return the score, then by how much it falls with each column as usual, float32, (rows, 1 + columns)."""
        x, columns = batch["x"], int(self.owners.max()) + 1
        scores = self.scores(x)
        effects = np.empty((len(x), columns), np.float32)
        for column in range(columns):
            as_usual = np.where(self.owners == column, self.usual, x)
            effects[:, column] = scores - self.scores(as_usual)
        return np.concatenate([scores[:, None], effects], axis=1)

    def scores(self, x: np.ndarray) -> np.ndarray:
        """Return 2 to the power of minus the mean path length over the usual one, float32, (rows,)."""
        chunks = [x[start : start + ROWS_AT_ONCE] for start in range(0, len(x), ROWS_AT_ONCE)]
        lengths = [self._lengths(chunk) for chunk in chunks]
        mean = np.concatenate(lengths) if lengths else np.empty(0)
        return np.asarray(2.0 ** (-mean / self.usual_length), np.float32)

    def _lengths(self, x: np.ndarray) -> np.ndarray:
        trees, rows = np.arange(len(self.features)), np.arange(len(x))[:, None]
        nodes = np.zeros((len(x), len(trees)), np.int64)
        while True:
            features = self.features[trees, nodes]
            if (features < 0).all():
                break
            is_right = x[rows, features] > self.thresholds[trees, nodes]
            nodes = self.children[trees, nodes, is_right.astype(np.int64)].astype(np.int64)
        return np.asarray(self.lengths[trees, nodes].mean(axis=1, dtype=np.float64))

    def save(self, folder: Path) -> None:
        """Write `forest.safetensors`."""
        save_file({name: np.ascontiguousarray(getattr(self, name)) for name in _NAMES}, folder / FILE)

    def options(self) -> dict[str, Any]:
        """Return the usual length."""
        return {"usual_length": self.usual_length}

    @classmethod
    def load(cls, folder: Path, options: dict[str, Any], threads: int) -> IsolationForest:
        """Read `forest.safetensors`.

        Raises:
            ArtifactError: The trees are torn, or lead nowhere.
        """
        try:
            found = load_file(folder / FILE)
            arrays = {name: found[name] for name in _NAMES}
            forest = cls(**arrays, usual_length=float(options["usual_length"]))
            forest._check()
        except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
            raise ArtifactError(f"The trees in {folder.name} cannot be read: {error}.") from error
        return forest

    def _check(self) -> None:
        shape = self.features.shape
        if self.thresholds.shape != shape or self.lengths.shape != shape:
            raise ValueError("nodes that do not fit together")
        if self.children.shape != (*shape, 2) or self.owners.shape != self.usual.shape:
            raise ValueError("children that do not fit the nodes")
        is_leaf = self.features < 0
        own = np.arange(shape[1])[None, :, None]
        # A child stands behind its parent, or a walk might never end.
        if not ((self.children > own) | is_leaf[:, :, None]).all() or self.children.max() >= shape[1]:
            raise ValueError("a tree that does not end")
        if self.features.max() >= len(self.usual) or self.usual_length <= 0:
            raise ValueError("a feature that is not there")
        if not is_leaf.any(axis=1).all() or self.owners.min() < 0 or not np.isfinite(self.lengths).all():
            raise ValueError("a tree without leaves")


RUNTIME = IsolationForest
