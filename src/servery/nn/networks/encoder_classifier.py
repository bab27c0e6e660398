"""A pretrained encoder with a linear layer on the vector of a text."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from servery.nn.network import Network
from servery.nn.networks.bert_encoder import BertEncoder


class EncoderClassifier(Network):
    """The text's vector, brought to length 1, then one weight a number and label.

    Source: Devlin et al. (2019), BERT, section 4.1; vectors of length 1: Reimers and Gurevych (2019), Sentence-BERT.

    Args:
        encoder: What `BertEncoder` is built with; its pooling is "mean" or "first".
        labels: Number of labels.
        dropout: Share of the vector's numbers left out in training.
    """

    name = "encoder_classifier"
    axes = BertEncoder.axes

    def __init__(self, encoder: dict[str, Any], labels: int, dropout: float) -> None:
        super().__init__()
        self.encoder = BertEncoder(**encoder)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(encoder["size"], labels)

    def vectors(self, tokens: Tensor, parts: Tensor, is_token: Tensor) -> Tensor:
        """Return the vector of each text, of length 1, (rows, size)."""
        counted = self.encoder(tokens=tokens, parts=parts, is_token=is_token)
        return functional.normalize(counted[:, 1:], dim=1)

    def forward(self, tokens: Tensor, parts: Tensor, is_token: Tensor) -> Tensor:  # type: ignore[override]
        """Return the logits, (rows, labels).

        Args:
            tokens: int64, (rows, length).
            parts: int64, (rows, length), which text a token belongs to.
            is_token: int64, (rows, length), 0 at padding.
        """
        return self.out(self.dropout(self.vectors(tokens, parts, is_token)))  # type: ignore[no-any-return]
