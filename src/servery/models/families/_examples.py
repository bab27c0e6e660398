"""Encoded training examples, handed out as batches of tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

POOL_BATCHES = 50
"""Texts are sorted by length within so many batches: enough for little padding, few enough to stay random."""
SMALLEST_BATCH = 2
"""Batch normalisation cannot learn from one row."""

Augment = Callable[[dict[str, Tensor], torch.Generator], dict[str, Tensor]]


class EncodedExamples:
    """Arrays in memory, a row an example.

    Args:
        arrays: The encoder's arrays by name, (rows, ...).
        targets: int64 (rows,), or float32 (rows, labels).
        augment: Changes a training batch at random; None for no change.
    """

    def __init__(
        self, arrays: dict[str, np.ndarray], targets: np.ndarray, augment: Augment | None = None
    ) -> None:
        self.arrays = {name: torch.from_numpy(array) for name, array in arrays.items()}
        self.targets = torch.from_numpy(targets)
        self.augment = augment

    def __len__(self) -> int:
        return len(self.targets)

    def order(self, seed: int, epoch: int, batch_size: int) -> list[np.ndarray]:
        """Return the rows of every batch of one epoch, shuffled."""
        rows = np.random.default_rng([seed, epoch]).permutation(len(self))
        return _in_batches(rows, batch_size)

    def inputs(self, rows: np.ndarray) -> dict[str, Tensor]:
        """Return the arrays of these rows, unchanged."""
        chosen = torch.from_numpy(rows)
        return {name: array[chosen] for name, array in self.arrays.items()}

    def batch(self, rows: np.ndarray, seed: int, epoch: int, step: int) -> tuple[dict[str, Tensor], Tensor]:
        """Return (inputs, targets) of these rows; what augmentation does follows from the arguments."""
        inputs = self.inputs(rows)
        if self.augment is not None:
            state = np.random.SeedSequence([seed, epoch, step]).generate_state(1)
            inputs = self.augment(inputs, torch.Generator().manual_seed(int(state[0])))
        return inputs, self.targets[torch.from_numpy(rows)]


class TokenExamples(EncodedExamples):
    """Texts of different lengths, padded batch by batch; batches are made of texts of like lengths.

    Args:
        texts: Token numbers of each text, at least one each.
        targets: int64 (rows,), or float32 (rows, labels).
    """

    def __init__(self, texts: Sequence[Sequence[int]], targets: np.ndarray) -> None:
        super().__init__({}, targets)
        self.lengths = self.sorted_by = np.array([len(text) for text in texts], np.int64)
        self._starts = np.cumsum(self.lengths) - self.lengths
        self._tokens = np.fromiter((n for text in texts for n in text), np.int64, int(self.lengths.sum()))

    def order(self, seed: int, epoch: int, batch_size: int) -> list[np.ndarray]:
        """Return the rows of every batch of one epoch: shuffled, sorted by length in pools, batches shuffled."""
        generator = np.random.default_rng([seed, epoch])
        rows = generator.permutation(len(self))
        pools = _in_batches(rows, batch_size * self._pool_batches(batch_size))
        batches = [
            batch
            for pool in pools
            for batch in _in_batches(pool[np.argsort(self.sorted_by[pool], kind="stable")], batch_size)
        ]
        return [batches[place] for place in generator.permutation(len(batches))]

    def _pool_batches(self, batch_size: int) -> int:
        # A pool of all rows would put the same texts together in every epoch.
        return int(np.clip(len(self) // batch_size // 8, 1, POOL_BATCHES))

    def inputs(self, rows: np.ndarray) -> dict[str, Tensor]:
        """Return `tokens`, int64, (rows, length of the longest), 0 at padding."""
        lengths = self.lengths[rows]
        tokens = np.zeros((len(rows), int(lengths.max())), np.int64)
        for place, (row, length) in enumerate(zip(rows.tolist(), lengths.tolist(), strict=True)):
            start = self._starts[row]
            tokens[place, :length] = self._tokens[start : start + length]
        return {"tokens": torch.from_numpy(tokens)}


def _in_batches(rows: np.ndarray, batch_size: int) -> list[np.ndarray]:
    batches = [rows[start : start + batch_size] for start in range(0, len(rows), batch_size)]
    if len(batches) > 1 and len(batches[-1]) < SMALLEST_BATCH:
        last = batches.pop()
        batches[-1] = np.concatenate([batches[-1], last])
    return batches
