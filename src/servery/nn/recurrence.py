"""Recurrent layers that read padded rows in both directions and give the same numbers however far they are padded."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

CELLS: dict[str, Callable[..., nn.RNNBase]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


def reversed_rows(vectors: Tensor, is_token: Tensor) -> Tensor:
    """Return each row with its tokens in the opposite order, padding left where it is.

    Args:
        vectors: (rows, length, size).
        is_token: bool, (rows, length), padding at the end.

    >>> reversed_rows(torch.tensor([[[1.0], [2.0], [0.0]]]), torch.tensor([[True, True, False]])).flatten()
    tensor([2., 1., 0.])
    """
    places = torch.arange(vectors.shape[1], device=vectors.device).unsqueeze(0)  # (1, length)
    lengths = is_token.sum(dim=1, keepdim=True)  # (rows, 1)
    order = torch.where(is_token, lengths - 1 - places, places)  # (rows, length)
    return vectors.gather(1, order.unsqueeze(2).expand(-1, -1, vectors.shape[2]))


def as_gru(layer: nn.RNN) -> nn.GRU:
    """Return a GRU that computes what an Elman layer computes, which the exporter to ONNX can read.

    A GRU whose reset gate is 1 and whose update gate is 0 is an Elman layer; a bias of 30 makes them so, up to a
    millionth of a rounding step.
    """
    gru = nn.GRU(layer.input_size, layer.hidden_size, batch_first=True)
    size = layer.hidden_size
    with torch.no_grad():
        for parameter in gru.parameters():
            parameter.zero_()
        gru.bias_ih_l0[:size] = 30.0  # reset
        gru.bias_ih_l0[size : 2 * size] = -30.0  # update
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
            getattr(gru, name)[2 * size :] = getattr(layer, name)
    return gru


class BothDirections(nn.Module):
    """One recurrent layer forwards and one backwards.

    Torch's own bidirectional layer would start the backward pass in the padding, unless rows are packed, and
    packed rows cannot be exported. Turning each row around within its length gives the packed result.

    Source: Schuster and Paliwal (1997), Bidirectional recurrent neural networks, section II.

    Args:
        cell: "rnn" (Elman 1990), "lstm" (Hochreiter and Schmidhuber 1997) or "gru" (Cho et al. 2014).
        size: Length of the vectors that come in.
        hidden_size: Length of the state of each direction.
    """

    def __init__(self, cell: str, size: int, hidden_size: int) -> None:
        super().__init__()
        self.forwards = CELLS[cell](size, hidden_size, batch_first=True)
        self.backwards = CELLS[cell](size, hidden_size, batch_first=True)

    def forward(self, vectors: Tensor, is_token: Tensor) -> Tensor:
        """Return the states of both directions, (rows, length, 2 * hidden_size).

        Args:
            vectors: (rows, length, size).
            is_token: bool, (rows, length), padding at the end.
        """
        ahead, _ = self.forwards(vectors)
        back, _ = self.backwards(reversed_rows(vectors, is_token))
        return torch.cat([ahead, reversed_rows(back, is_token)], dim=2)
