"""A pretrained encoder that says what connects two entities of a text."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.network import Network
from servery.nn.networks.bert_encoder import BertEncoder
from servery.nn.pooling import masked_mean


class EncoderRelation(Network):
    """The mean vectors of head, tail and the whole text, each of length 1, then one weight a number and label.

    Source: Wu and He (2019), Enriching pre-trained language model with entity information (R-BERT), section 3.2.

    Args:
        encoder: What `BertEncoder` is built with; its pooling is not used.
        labels: Number of labels.
        dropout: Share of the vectors' numbers left out in training.
    """

    name = "encoder_relation"
    axes = dict.fromkeys(("tokens", "roles", "is_token"), ("rows", "length"))

    def __init__(self, encoder: dict[str, Any], labels: int, dropout: float) -> None:
        super().__init__()
        self.encoder = BertEncoder(**encoder)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(3 * encoder["size"], labels)

    def vectors(self, tokens: Tensor, roles: Tensor, is_token: Tensor) -> Tensor:
        """Return the vectors of head, tail and text side by side, (rows, 3 * size)."""
        states = self.encoder.layers(tokens, torch.zeros_like(tokens), is_token)[-1]
        # Padding has the role 0 as well; of a row without an entity the mean of the text stands for it.
        is_text = is_token > 0
        places = [_or(roles == 1, is_text), _or(roles == 2, is_text), is_text]
        found = [functional.normalize(masked_mean(states, place), dim=1) for place in places]
        return torch.cat(found, dim=1)

    def forward(self, tokens: Tensor, roles: Tensor, is_token: Tensor) -> Tensor:  # type: ignore[override]
        """Return the logits, (rows, labels).

        Args:
            tokens: int64, (rows, length).
            roles: int64, (rows, length), 1 in the head, 2 in the tail.
            is_token: int64, (rows, length), 0 at padding.
        """
        return self.out(self.dropout(self.vectors(tokens, roles, is_token)))  # type: ignore[no-any-return]


def _or(wanted: Tensor, otherwise: Tensor) -> Tensor:
    # ONNX Runtime has no choice between truth values.
    return wanted | (otherwise & ~wanted.any(dim=1, keepdim=True))
