"""Muon: steps along the orthogonalised momentum of each weight matrix; everything else by AdamW."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from servery.nn.bfloat16 import has_bfloat16_instructions

MOMENTUM = 0.95
ADAM_BETAS = (0.9, 0.99)
EPSILON = 1e-8
ROUNDS = 5
COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic that pushes all singular values towards 1 quickest (Jordan et al. 2024)."""
MATCHED_SIZE = 0.2
"""Root mean square of AdamW's usual step, to which Muon's are scaled (Liu et al. 2025, section 2.2)."""


class Muon(Optimizer):
    """One optimizer for a whole network: groups with `is_matrix` go by Muon, the others by AdamW.

    A learning rate and a weight decay that suit AdamW suit it too. On small language models it needs about half the
    steps (1.77 against 2.10 nats per character after 160 steps on tiny-shakespeare).

    Source: Jordan et al. (2024), Muon: an optimizer for hidden layers in neural networks; Liu et al. (2025), Muon is
    scalable for LLM training, section 2.2.

    Args:
        groups: Parameter groups with `params`, `weight_decay` and `is_matrix`.
        learning_rate: Of all groups.
    """

    def __init__(self, groups: Sequence[dict[str, Any]], learning_rate: float) -> None:
        super().__init__(list(groups), {"lr": learning_rate, "weight_decay": 0.0, "is_matrix": False})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step."""
        for group in self.param_groups:
            update = self._matrix if group["is_matrix"] else self._adam
            for weight in group["params"]:
                if weight.grad is not None:
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                    weight.sub_(group["lr"] * update(weight, weight.grad))

    def _matrix(self, weight: Tensor, gradient: Tensor) -> Tensor:
        memory = self.state[weight]
        if not memory:
            memory["momentum"] = torch.zeros_like(weight)
        momentum = memory["momentum"].lerp_(gradient, 1 - MOMENTUM)
        step = orthogonal(gradient.lerp(momentum, MOMENTUM))
        scale: float = MATCHED_SIZE * float(max(weight.shape)) ** 0.5
        return step * scale

    def _adam(self, weight: Tensor, gradient: Tensor) -> Tensor:
        memory = self.state[weight]
        if not memory:
            memory |= {name: torch.zeros_like(weight) for name in ("mean", "square")}
            memory["steps"] = torch.zeros((), device=weight.device)
        memory["steps"] += 1
        first, second = ADAM_BETAS
        mean = memory["mean"].lerp_(gradient, 1 - first) / (1 - first ** memory["steps"])
        square = memory["square"].lerp_(gradient.square(), 1 - second) / (1 - second ** memory["steps"])
        return mean / (square.sqrt() + EPSILON)  # type: ignore[no-any-return]


def orthogonal(matrix: Tensor) -> Tensor:
    """Return about the nearest matrix whose singular values are all 1, by a Newton-Schulz iteration.

    Args:
        matrix: (rows, columns).
    """
    first, third, fifth = COEFFICIENTS
    is_tall = matrix.shape[0] > matrix.shape[1]
    # The iteration forgives rounding: half precision is enough where it is quicker (Jordan et al. 2024).
    is_half = matrix.is_cuda or has_bfloat16_instructions()
    found = (matrix.t() if is_tall else matrix).to(torch.bfloat16 if is_half else matrix.dtype)
    found = found / (found.norm() + 1e-7)
    for _ in range(ROUNDS):
        square = found @ found.t()
        found = first * found + (third * square + fifth * square @ square) @ found
    result: Tensor = found.t() if is_tall else found
    return result.to(matrix.dtype)


def matrices(network: nn.Module) -> set[Tensor]:
    """Return the weights that Muon is for: of linear and recurrent layers, but not the embeddings and the last layer.

    These two have a row a token or a label, which are not mixed with each other.
    """
    linear = [module.weight for module in network.modules() if isinstance(module, nn.Linear)][:-1]
    recurrent = [
        weight
        for module in network.modules()
        if isinstance(module, nn.RNNBase)
        for weight in module.parameters()
        if weight.dim() == 2
    ]
    looked_up = {module.weight for module in network.modules() if isinstance(module, nn.Embedding)}
    return {weight for weight in (*linear, *recurrent) if weight.requires_grad} - looked_up
