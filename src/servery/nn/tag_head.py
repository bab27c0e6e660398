"""From a word's vector to its tags, in the form that chains of tags are read from."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.embedding import EMBEDDING_DEVIATION


class TagHead(nn.Module):
    """Emissions of each word behind its place, and before all words the transitions.

    Args:
        size: Length of a word's vector.
        labels: Number of labels.
        has_transitions: Whether there are any; else they are 0.
        dropout: Share of the vectors' numbers left out in training.
    """

    def __init__(self, size: int, labels: int, has_transitions: bool, dropout: float) -> None:
        super().__init__()
        tags = 1 + 2 * labels
        self.dropout = nn.Dropout(dropout)
        self.emit = nn.Linear(size, tags)
        transitions = torch.zeros(tags, tags)
        self.has_transitions = has_transitions
        if has_transitions:
            self.transitions = nn.Parameter(transitions.normal_(std=EMBEDDING_DEVIATION))
        else:
            self.register_buffer("transitions", transitions)

    def forward(self, vectors: Tensor, places: Tensor) -> Tensor:
        """Return (rows, tags + length, 2 + tags): a line a tag with its transitions, a line a word.

        Args:
            vectors: (rows, length, size).
            places: int64, (rows, length, 2).
        """
        # In half precision the places of a long text would run together.
        words = torch.cat(
            [places.float(), self.emit(self.dropout(vectors)).float()], dim=2
        )  # (rows, length, 2 + tags)
        before = functional.pad(self.transitions, (2, 0)).expand(places.shape[0], -1, -1)
        return torch.cat([before, words], dim=1)
