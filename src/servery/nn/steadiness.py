"""How many rows a product needs, so that a row's result is the same to the last bit whatever stands beside it."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor
from torch.nn import functional

TRIED_ROWS = (1, 2, 4, 8, 16)
COMPARED_ROWS = (17, 32, 64)


def least_steady_rows(weights: Iterable[Tensor]) -> int:
    """Return the fewest rows from which on products with these weights no longer depend on the number of rows.

    Matrix libraries take other ways for few rows than for many, which round differently: an answer would then depend
    on how many others are computed beside it. Measured on this machine, since it depends on its processor.

    Args:
        weights: Each (out, in), as in a linear layer.

    Returns:
        One of `TRIED_ROWS`; the largest also where none is enough.
    """
    shapes = {tuple(weight.shape): weight for weight in weights}
    return max((_least_rows(weight) for weight in shapes.values()), default=1)


def _least_rows(weight: Tensor) -> int:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(max(COMPARED_ROWS), weight.shape[1], generator=generator)
    with torch.inference_mode():
        many = [functional.linear(rows[:count], weight) for count in COMPARED_ROWS]
        for count in TRIED_ROWS:
            few = functional.linear(rows[:count], weight)
            if all(torch.equal(few, result[:count]) for result in many):
                return count
    return TRIED_ROWS[-1]
