"""What every network is that reads one row of tokens and writes another: it begins, then steps token by token."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor

from servery.nn.network import Network

State = dict[str, Tensor]
"""Tensors by name, a row a text that is being written."""


class SequenceToSequence(Network):
    """An encoder and a decoder over one vocabulary; the tokens that can be written are its first ones.

    `forward` learns: it takes the right text, moved on by one token. `begin` and `step` answer: what was read stays,
    what was written moves on. A row's logits depend on that row alone.
    """

    axes = {"tokens": ("rows", "length"), "said": ("rows", "said_length")}
    written_size: int
    """Number of tokens that can be written."""
    has_attention: bool
    """Whether it says where it looked."""

    @abstractmethod
    def forward(self, tokens: Tensor, said: Tensor) -> Tensor:  # type: ignore[override]
        """Return the logits of what follows each token that was said, (rows, said length, written_size).

        Args:
            tokens: What is read, int64, (rows, length), 0 at padding.
            said: What was written, from BEGIN on, int64, (rows, said length), 0 at padding.
        """

    @abstractmethod
    def begin(self, tokens: Tensor) -> tuple[State, State]:
        """Return what was read, which stays, and the state before the first step, which moves on.

        Args:
            tokens: int64, (rows, length), 0 at padding.
        """

    @abstractmethod
    def step(self, said: Tensor, read: State, state: State) -> tuple[Tensor, Tensor, State]:
        """Return logits, (rows, written_size), looks, (rows, length), and the next state.

        Looks are shares of the tokens read that sum to 1; all 0 where a network has no attention.

        Args:
            said: The last token of each row, int64, (rows,).
            read: From `begin`.
            state: From `begin` or the step before.
        """


def scaled(vectors: Tensor) -> Tensor:
    """Return the vectors of tokens as large as a layer expects them; as they are they score what is written.

    Source: Vaswani et al. (2017), Attention is all you need, section 3.4.
    """
    larger: Tensor = vectors * vectors.shape[-1] ** 0.5
    return larger
