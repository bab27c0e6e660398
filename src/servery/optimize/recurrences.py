"""Recurrent layers as the operators that ONNX has for them.

The exporter would write each as a loop, and only for some cells; ONNX's own operators run at any length.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from servery.nn.network import Network


@dataclass(frozen=True)
class Operator:
    """One of ONNX's recurrent operators.

    Attributes:
        name: Its name.
        gates: For each of its gates the place of the same gate in torch's weights.
        attributes: What makes it compute as torch does.
    """

    name: str
    gates: tuple[int, ...]
    attributes: dict[str, Any]


OPERATORS: dict[type[nn.RNNBase], Operator] = {
    nn.RNN: Operator("RNN", (0,), {}),
    nn.LSTM: Operator("LSTM", (0, 3, 1, 2), {}),
    nn.GRU: Operator("GRU", (1, 0, 2), {"linear_before_reset": 1}),
}
"""Gates, torch: input, forget, cell, output; reset, update, new. ONNX: input, output, forget, cell; update, reset, new.

Source: ONNX Operators, RNN, LSTM and GRU, version 14.
"""


class OnnxRecurrence(nn.Module):
    """One layer in one direction, for export only: it computes nothing, it stands for the operator.

    Args:
        layer: A recurrent layer of torch: one direction, one level, rows first.
    """

    def __init__(self, layer: nn.RNNBase) -> None:
        super().__init__()
        self.operator = OPERATORS[type(layer)]
        self.hidden_size = layer.hidden_size
        weights = [self._reordered(layer, f"{name}_l0") for name in ("weight_ih", "weight_hh")]
        biases = [self._reordered(layer, f"{name}_l0") for name in ("bias_ih", "bias_hh")]
        self.weight = nn.Parameter(weights[0].unsqueeze(0))  # (1, gates * hidden_size, size)
        self.recurrence = nn.Parameter(weights[1].unsqueeze(0))  # (1, gates * hidden_size, hidden_size)
        self.bias = nn.Parameter(torch.cat(biases).unsqueeze(0))  # (1, 2 * gates * hidden_size)

    def _reordered(self, layer: nn.RNNBase, name: str) -> Tensor:
        gates = getattr(layer, name).detach().split(layer.hidden_size)
        return torch.cat([gates[place] for place in self.operator.gates])

    def forward(self, vectors: Tensor) -> tuple[Tensor, None]:
        """Return the states, (rows, length, hidden_size), where torch's layer returns them.

        Args:
            vectors: (rows, length, size).
        """
        rows, length = vectors.shape[:2]
        states = torch.onnx.ops.symbolic(
            self.operator.name,
            (vectors.transpose(0, 1), self.weight, self.recurrence, self.bias),
            {"hidden_size": self.hidden_size, **self.operator.attributes},
            dtype=vectors.dtype,
            shape=(length, 1, rows, self.hidden_size),
            version=14,
        )
        return states.squeeze(1).transpose(0, 1), None


def with_onnx_recurrences(network: Network) -> Network:
    """Return a copy of a network in which ONNX's operators stand for the recurrent layers."""
    copied = copy.deepcopy(network)
    for module in list(copied.modules()):
        for name, layer in module.named_children():
            if isinstance(layer, nn.RNNBase):
                setattr(module, name, OnnxRecurrence(layer))
    return copied.eval()
