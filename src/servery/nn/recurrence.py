"""Recurrent layers that read padded rows in both directions and give the same numbers however far they are padded."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

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


def remember_at_first(layer: nn.LSTM) -> None:
    """Let the forget gates begin open, so that what was read early reaches the end from the first step on.

    Source: Gers, Schmidhuber, Cummins (2000), Learning to forget, section 4; Jozefowicz et al. (2015), section 3.2.
    """
    with torch.no_grad():
        for name, bias in layer.named_parameters():
            if name.startswith("bias_hh"):
                bias[layer.hidden_size : 2 * layer.hidden_size] = 1.0


def lstm_step(layer: nn.LSTM, vectors: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Return hidden state and cell after one token; written out, so that it can be exported."""
    weights = dict(layer.named_parameters())
    gates = functional.linear(vectors, weights["weight_ih_l0"], weights["bias_ih_l0"])
    gates = gates + functional.linear(hidden, weights["weight_hh_l0"], weights["bias_hh_l0"])
    enter, forget, new, leave = gates.chunk(4, dim=1)
    cell = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
    return leave.sigmoid() * cell.tanh(), cell
