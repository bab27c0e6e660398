"""Texts in a pretrained encoder's tokens, padded batch by batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from servery.models.encoders.pretrained_tokens import TokenRow
from servery.models.families._examples import TokenExamples


class PretrainedExamples(TokenExamples):
    """Tokens with the part each belongs to.

    Args:
        rows: Token numbers and parts of each text, at least one token each.
        targets: int64 (rows,), or float32 (rows, labels).
    """

    def __init__(self, rows: Sequence[TokenRow], targets: np.ndarray) -> None:
        super().__init__([tokens for tokens, _ in rows], targets)
        self._parts = np.fromiter((p for _, parts in rows for p in parts), np.int64, int(self.lengths.sum()))

    def inputs(self, rows: np.ndarray) -> dict[str, Tensor]:
        """Return `tokens`, `parts` and `is_token`, int64, (rows, length of the longest)."""
        tokens = super().inputs(rows)["tokens"]
        is_token = np.arange(tokens.shape[1]) < self.lengths[rows][:, None]
        parts = np.zeros(tokens.shape, np.int64)
        parts[is_token] = np.concatenate(
            [self._parts[self._starts[row] : self._starts[row] + self.lengths[row]] for row in rows]
        )
        return {
            "tokens": tokens,
            "parts": torch.from_numpy(parts),
            "is_token": torch.from_numpy(is_token.astype(np.int64)),
        }
