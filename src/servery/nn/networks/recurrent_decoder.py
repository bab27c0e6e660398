"""The recurrent language model: a text becomes the logits of its next token, one state carried along."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from servery.nn.network import Network
from servery.nn.recurrence import CELLS

EMBEDDING_DEVIATION = 0.1


class RecurrentDecoder(Network):
    """Recurrent layers between the tokens' vectors and the logits of the next token.

    The logits use the tokens' vectors again. Like `causal_decoder` it puts out logits for every token.

    Source: Mikolov et al. (2010), Recurrent neural network based language model; Zaremba et al. (2014), Recurrent
    neural network regularization, section 3.1 (where dropout goes); Press and Wolf (2017), Using the output embedding
    to improve language models, section 3.

    Args:
        vocabulary_size: Number of tokens.
        embedding_size: Length of the tokens' vectors.
        hidden_size: Length of a layer's state.
        num_layers: Number of layers.
        cell: "rnn", "lstm" or "gru".
        dropout: Share of numbers that become 0 between layers, in training.
    """

    name = "recurrent_decoder"
    axes = {"tokens": ("rows", "length")}

    def __init__(
        self,
        vocabulary_size: int,
        embedding_size: int,
        hidden_size: int,
        num_layers: int,
        cell: str,
        dropout: float,
    ) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocabulary_size, embedding_size)
        self.recurrent = CELLS[cell](
            embedding_size,
            hidden_size,
            num_layers,
            batch_first=True,
            dropout=dropout if num_layers > 1 else 0.0,
        )
        self.projection = nn.Linear(hidden_size, embedding_size)
        self.bias = nn.Parameter(torch.zeros(vocabulary_size))
        self.dropout = nn.Dropout(dropout)
        nn.init.normal_(self.embedding.weight, std=EMBEDDING_DEVIATION)

    def forward(self, tokens: Tensor) -> Tensor:  # type: ignore[override]
        """Return the logits of what follows each token, (rows, length, vocabulary_size).

        Args:
            tokens: int64, (rows, length); what stands behind a row's end changes nothing before it.
        """
        states, _ = self.recurrent(self.dropout(self.embedding(tokens)))
        vectors = self.projection(self.dropout(states))
        return vectors @ self.embedding.weight.t() + self.bias  # type: ignore[no-any-return]
