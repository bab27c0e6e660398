"""A row of vectors becomes one vector, padding left out."""

from __future__ import annotations

import torch
from torch import Tensor

FAR_BELOW = -1e4
"""Stands in for minus infinity, which has no place in half precision."""


def masked_mean(vectors: Tensor, is_token: Tensor) -> Tensor:
    """Return the mean over the tokens, (rows, size).

    Args:
        vectors: (rows, length, size).
        is_token: bool, (rows, length); at least one true in each row.

    >>> masked_mean(torch.tensor([[[2.0], [4.0], [9.0]]]), torch.tensor([[True, True, False]]))
    tensor([[3.]])
    """
    weights = is_token.unsqueeze(2).to(vectors.dtype)  # (rows, length, 1)
    return (vectors * weights).sum(dim=1) / weights.sum(dim=1)


def masked_max(vectors: Tensor, is_token: Tensor) -> Tensor:
    """Return the largest of each number over the tokens, (rows, size).

    Args:
        vectors: (rows, length, size).
        is_token: bool, (rows, length); at least one true in each row.

    >>> masked_max(torch.tensor([[[2.0], [4.0], [9.0]]]), torch.tensor([[True, True, False]]))
    tensor([[4.]])
    """
    return vectors.masked_fill(~is_token.unsqueeze(2), FAR_BELOW).amax(dim=1)


def mean_and_max(vectors: Tensor, is_token: Tensor) -> Tensor:
    """Return mean and maximum side by side, (rows, 2 * size).

    Source: Howard and Ruder (2018), Universal language model fine-tuning, section 3.3, concat pooling.
    """
    return torch.cat([masked_mean(vectors, is_token), masked_max(vectors, is_token)], dim=1)
