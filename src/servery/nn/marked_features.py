"""Words around two entities become vectors: what is known of the word, and how far it is from both."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from servery.nn.embedding import EMBEDDING_DEVIATION, PADDING
from servery.nn.word_features import WordFeatures

MARKED_AXES: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("words", "shapes"), ("rows", "length")),
    **dict.fromkeys(("affixes", "symbols"), ("rows", "length")),
    **dict.fromkeys(("head_distance", "tail_distance"), ("rows", "length")),
}


class MarkedFeatures(nn.Module):
    """Features of each word beside a vector for each of its two distances.

    Source: Zeng et al. (2014), Relation classification via convolutional deep neural network, section 3.4.

    Args:
        features: What `WordFeatures` is built with.
        distances: Numbers of distances, padding (0) included; the middle one is the entity itself.
        distance_size: Length of a distance's vector.
    """

    def __init__(self, features: dict[str, Any], distances: int, distance_size: int) -> None:
        super().__init__()
        self.features = WordFeatures(**features)
        self.within = distances // 2
        self.distances = nn.ModuleList(
            nn.Embedding(distances, distance_size, padding_idx=PADDING) for _ in range(2)
        )
        with torch.no_grad():
            for table in self.distances:
                nn.init.normal_(table.weight, std=EMBEDDING_DEVIATION)  # type: ignore[arg-type]
                table.weight[PADDING] = 0.0  # type: ignore[operator]
        self.size = self.features.size + 2 * distance_size

    def forward(
        self,
        words: Tensor,
        shapes: Tensor,
        affixes: Tensor,
        symbols: Tensor,
        head_distance: Tensor,
        tail_distance: Tensor,
    ) -> Tensor:
        """Return vectors, (rows, length, size), 0 at padding.

        Args:
            words: int64, (rows, length).
            shapes: int64, (rows, length).
            affixes: int64, (rows, length, ends).
            symbols: int64, (rows, length, characters).
            head_distance: int64, (rows, length).
            tail_distance: int64, (rows, length).
        """
        known = self.features(words=words, shapes=shapes, affixes=affixes, symbols=symbols)
        head, tail = self.distances
        return torch.cat([known, head(head_distance), tail(tail_distance)], dim=2)

    def regions(self, head_distance: Tensor, tail_distance: Tensor) -> tuple[Tensor, ...]:
        """Return where the head, the tail, and the words before, between and behind are, bool, (rows, length) each."""
        is_word = head_distance != PADDING
        head, tail = head_distance == self.within, tail_distance == self.within
        before = is_word & (head_distance < self.within) & (tail_distance < self.within)
        behind = is_word & (head_distance > self.within) & (tail_distance > self.within)
        return head, tail, before, is_word & ~(head | tail | before | behind), behind
