"""The recurrent network of relations: both directions, and attention that weighs the words."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from servery.nn.marked_features import MARKED_AXES, MarkedFeatures
from servery.nn.network import Network
from servery.nn.pooling import FAR_BELOW, masked_max
from servery.nn.recurrence import BothDirections


class RelationRecurrent(Network):
    """Features with distances, a recurrent layer, its states weighed by attention, and those of the two entities.

    Source: Zhou et al. (2016), Attention-based bidirectional long short-term memory networks for relation
    classification, section 3.

    Args:
        cell: "rnn", "lstm" or "gru".
        has_attention: Whether words are weighed; else the strongest numbers of all words are taken.
        features: What `WordFeatures` is built with.
        distances: Numbers of distances.
        distance_size: Length of a distance's vector.
        hidden_size: Length of the state of each direction.
        labels: Number of labels.
        dropout: Share of the states' numbers left out in training.
    """

    name = "relation_recurrent"
    axes = MARKED_AXES

    def __init__(
        self,
        cell: str,
        has_attention: bool,
        features: dict[str, Any],
        distances: int,
        distance_size: int,
        hidden_size: int,
        labels: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.features = MarkedFeatures(features, distances, distance_size)
        self.layer = BothDirections(cell, self.features.size, hidden_size)
        self.weigh = nn.Linear(2 * hidden_size, 1, bias=False) if has_attention else None
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(6 * hidden_size, labels)

    def forward(  # type: ignore[override]
        self,
        words: Tensor,
        shapes: Tensor,
        affixes: Tensor,
        symbols: Tensor,
        head_distance: Tensor,
        tail_distance: Tensor,
    ) -> Tensor:
        """Return the logits, (rows, labels); the arguments are those of `MarkedFeatures`."""
        vectors = self.features(words, shapes, affixes, symbols, head_distance, tail_distance)
        is_word = head_distance != 0
        states = self.layer(vectors, is_word)  # (rows, length, 2 * hidden_size)
        head, tail, *_ = self.features.regions(head_distance, tail_distance)
        found = [self._pooled(states, is_word), masked_max(states, head), masked_max(states, tail)]
        return self.out(self.dropout(torch.cat(found, dim=1)))  # type: ignore[no-any-return]

    def _pooled(self, states: Tensor, is_word: Tensor) -> Tensor:
        if self.weigh is None:
            return masked_max(states, is_word)
        liked = self.weigh(states.tanh()).squeeze(2).masked_fill(~is_word, FAR_BELOW)  # (rows, length)
        return torch.tanh((states * liked.softmax(dim=1).unsqueeze(2)).sum(dim=1))
