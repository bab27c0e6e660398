"""A pretrained encoder with a linear layer on what several of its blocks say of a text."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.network import Network
from servery.nn.networks.bert_encoder import BertEncoder
from servery.nn.pooling import masked_max, masked_mean

SUMMARIES = 4
"""Vectors side by side: means after the middle, the last but one and the last block, and the last one's maximum."""


class EncoderClassifier(Network):
    """Means of the tokens' vectors after several blocks, each of length 1, then one weight a number and label.

    Lower blocks know more of the wording, the last one of what the encoder was trained for.

    Source: Devlin et al. (2019), BERT, section 5.3 (several blocks side by side do better than the last alone).

    Args:
        encoder: What `BertEncoder` is built with; its pooling is not used.
        labels: Number of labels.
        dropout: Share of the numbers left out in training.
    """

    name = "encoder_classifier"
    axes = BertEncoder.axes

    def __init__(self, encoder: dict[str, Any], labels: int, dropout: float) -> None:
        super().__init__()
        self.encoder = BertEncoder(**encoder)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(SUMMARIES * encoder["size"], labels)

    def vectors(self, tokens: Tensor, parts: Tensor, is_token: Tensor) -> Tensor:
        """Return the vector of each text, (rows, 4 * size)."""
        layers, mask = self.encoder.layers(tokens, parts, is_token), is_token > 0
        middle, before, last = layers[len(layers) // 2], layers[-2], layers[-1]
        means = [masked_mean(layer, mask) for layer in (middle, before, last)]
        summaries = [*means, masked_max(last, mask)]
        return torch.cat([functional.normalize(summary, dim=1) for summary in summaries], dim=1)

    def forward(self, tokens: Tensor, parts: Tensor, is_token: Tensor) -> Tensor:  # type: ignore[override]
        """Return the logits, (rows, labels).

        Args:
            tokens: int64, (rows, length).
            parts: int64, (rows, length), which text a token belongs to.
            is_token: int64, (rows, length), 0 at padding.
        """
        return self.out(self.dropout(self.vectors(tokens, parts, is_token)))  # type: ignore[no-any-return]
