"""The convolutional network of relations: filters over the words, and the strongest answer of each in every region."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.marked_features import MARKED_AXES, MarkedFeatures
from servery.nn.network import Network
from servery.nn.pooling import masked_max


class RelationCnn(Network):
    """Features with distances, filters of several widths, maxima before, between and behind the entities.

    Source: Zeng et al. (2014), Relation classification via convolutional deep neural network, section 3; pooling by
    region: Zeng et al. (2015), Distant supervision via piecewise convolutional neural networks, section 3.3.

    Args:
        features: What `WordFeatures` is built with.
        distances: Numbers of distances.
        distance_size: Length of a distance's vector.
        widths: Words a filter sees.
        filters: Number of filters of each width.
        labels: Number of labels.
        dropout: Share of the answers left out in training.
    """

    name = "relation_cnn"
    axes = MARKED_AXES

    def __init__(
        self,
        features: dict[str, Any],
        distances: int,
        distance_size: int,
        widths: Sequence[int],
        filters: int,
        labels: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.features = MarkedFeatures(features, distances, distance_size)
        size = self.features.size
        self.widths = tuple(widths)
        self.convolutions = nn.ModuleList(nn.Conv1d(size, filters, width) for width in self.widths)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(3 * len(self.widths) * filters + 2 * self.features.features.size, labels)

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
        head, tail, before, between, behind = self.features.regions(head_distance, tail_distance)
        # An entity's words belong to the regions beside them: none is empty then.
        entity = head | tail
        regions = [before | entity, between | entity, behind | entity]
        found = [
            masked_max(answer, region)
            for answer in (
                self._answers(vectors, *each) for each in zip(self.widths, self.convolutions, strict=True)
            )
            for region in regions
        ]
        size = self.features.features.size
        found += [masked_max(vectors[:, :, :size], region) for region in (head, tail)]
        return self.out(self.dropout(torch.cat(found, dim=1)))  # type: ignore[no-any-return]

    def _answers(self, vectors: Tensor, width: int, convolution: nn.Module) -> Tensor:
        padded = functional.pad(vectors.transpose(1, 2), ((width - 1) // 2, width // 2))
        return functional.relu(convolution(padded)).transpose(1, 2)  # (rows, length, filters)
