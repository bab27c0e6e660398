"""Pairs of texts, one read and one written, as batches of tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from servery.models.encoders.subwords import Subwords
from servery.models.families._examples import TokenExamples
from servery.models.pieces import BEGIN

LONGER_THAN_ANY = 100_000
"""Tokens; no text has as many."""


class PairExamples(TokenExamples):
    """Pairs of like lengths lie in one batch, so that little of it is padding.

    Args:
        read: Token numbers of each text that is read.
        written: Token numbers of each text that is written, with their end.
        rows: The examples themselves.
        texts: What is to be written, objects, (rows,).
        encoder: Made them into numbers.
    """

    def __init__(
        self,
        read: Sequence[Sequence[int]],
        written: Sequence[Sequence[int]],
        rows: Sequence[Mapping[str, Any]],
        texts: np.ndarray,
        encoder: Subwords,
    ) -> None:
        super().__init__(read, np.zeros(len(read), np.int64))
        self.rows, self.texts, self.encoder = rows, texts, encoder
        self._written = TokenExamples(written, np.zeros(len(written), np.int64))
        # What is written costs a step over the vocabulary for each token: its length leads.
        self.sorted_by = LONGER_THAN_ANY * self._written.lengths + self.lengths

    def inputs(self, rows: np.ndarray) -> dict[str, Tensor]:
        """Return `tokens`, what is read, and `said`, what is written moved on by one, int64, 0 at padding."""
        return {**super().inputs(rows), "said": moved_on(self._written.inputs(rows)["tokens"])}

    def batch(self, rows: np.ndarray, seed: int, epoch: int, step: int) -> tuple[dict[str, Tensor], Tensor]:
        """Return (inputs, what is to be written)."""
        return self.inputs(rows), self._written.inputs(rows)["tokens"]


def moved_on(written: Tensor) -> Tensor:
    """Return what stands before each token of a row.

    >>> moved_on(torch.tensor([[7, 8, 3], [9, 3, 0]]))
    tensor([[2, 7, 8],
            [2, 9, 3]])
    """
    return torch.cat([torch.full_like(written[:, :1], BEGIN), written[:, :-1]], dim=1)
