"""The networks that recommend: a history becomes a user's vector, and that is compared with all items."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from servery.nn.network import Network

MODELS = ("mean_vector", "neural_filtering", "two_tower", "self_attention")
PADDING = -1
"""Stands before the oldest event where a row has fewer than the longest."""


class HistoryRecommender(Network):
    """Scores of all items after a history.

    "mean_vector" compares the mean vector of the history with each item's (Kabbur, Ning and Karypis 2013, FISM, section
    4); "neural_filtering" adds a perceptron over both (He et al. 2017, Neural collaborative filtering, section 3.4);
    "two_tower" has a perceptron make the user, and compares directions (Yi et al. 2019, section 3); "self_attention"
    lets events look at earlier ones (Kang and McAuley 2018, SASRec, section III).

    Args:
        model: One of `MODELS`.
        items: Number of items.
        size: Length of a vector.
        hidden: Width of the perceptrons.
        heads: Of self-attention.
        blocks: Of self-attention.
        length: Latest events that are read.
        dropout: Share of a history's numbers left out in training.
    """

    name = "history_recommender"
    axes = {"items": ("rows", "length")}

    def __init__(
        self,
        model: str,
        items: int,
        size: int,
        hidden: int,
        heads: int,
        blocks: int,
        length: int,
        dropout: float,
    ) -> None:
        super().__init__()
        if model not in MODELS or size % heads:
            raise ValueError(f"model {model!r} of size {size} with {heads} heads; known: {', '.join(MODELS)}")
        self.model, self.heads, self.length = model, heads, length
        spread = 1.0 / math.sqrt(size)
        self.history_vectors = nn.Parameter(spread * torch.randn(items, size))
        if model != "self_attention":  # which has one vector an item
            self.item_vectors = nn.Parameter(spread * torch.randn(items, size))
        self.biases = nn.Parameter(torch.zeros(items))
        self.dropout = nn.Dropout(dropout)
        if model == "neural_filtering":
            self.hidden_user = nn.Linear(size, hidden)
            self.hidden_item = nn.Linear(size, hidden, bias=False)
            self.product_weights = nn.Parameter(torch.ones(size))
            self.output = nn.Parameter(torch.randn(hidden) / math.sqrt(hidden))
        elif model == "two_tower":
            self.user_hidden, self.user_output = nn.Linear(size, hidden), nn.Linear(hidden, size)
            self.sharpness = nn.Parameter(torch.full((1,), 10.0))
        elif model == "self_attention":
            self.places = nn.Parameter(0.02 * torch.randn(length, size))
            self.blocks = nn.ModuleList(_Block(size, hidden, heads, dropout) for _ in range(blocks))
            self.last_norm = nn.LayerNorm(size)

    def forward(self, items: Tensor) -> Tensor:  # type: ignore[override]
        """Return the score of every item, (rows, items).

        Args:
            items: Numbers of the items, the oldest first, `PADDING` before them, int64, (rows, length).
        """
        is_there = items != PADDING  # (rows, length)
        vectors = self.history_vectors[items.clamp(min=0)] * is_there[..., None]
        scores: Tensor
        if self.model == "self_attention":
            scores = self._attended(vectors, is_there) @ self.history_vectors.T
            return scores + self.biases
        mean = self.dropout(
            vectors.sum(dim=1) / is_there.sum(dim=1, keepdim=True).clamp(min=1)
        )  # (rows, size)
        if self.model == "mean_vector":
            scores = mean @ self.item_vectors.T
        elif self.model == "two_tower":
            user = functional.normalize(self.user_output(self.user_hidden(mean).relu()) + mean, dim=1)
            scores = self.sharpness * (user @ functional.normalize(self.item_vectors, dim=1).T)
        else:
            hidden = (self.hidden_user(mean)[:, None] + self.hidden_item(self.item_vectors)[None]).relu()
            scores = (mean * self.product_weights) @ self.item_vectors.T + hidden @ self.output
        return scores + self.biases

    def _attended(self, vectors: Tensor, is_there: Tensor) -> Tensor:
        count = vectors.shape[1]
        found = self.dropout(vectors + self.places[:count].flip(0))
        # An event looks at itself and at earlier ones; what pads a row looks at itself alone.
        earlier = torch.ones(count, count, dtype=torch.bool, device=vectors.device).tril()
        seen = (earlier & is_there[:, None]) | torch.eye(count, dtype=torch.bool, device=vectors.device)
        for block in self.blocks:
            found = block(found, seen)
        return self.last_norm(found[:, -1])  # type: ignore[no-any-return]

    def tensors(self) -> dict[str, Tensor]:
        """Return the weights by the names that `models.item_scorers` reads."""
        named: dict[str, Tensor] = {"history_vectors": self.history_vectors, "biases": self.biases}
        items = self.history_vectors if self.model == "self_attention" else self.item_vectors
        named["item_vectors"] = functional.normalize(items, dim=1) if self.model == "two_tower" else items
        if self.model == "neural_filtering":
            named |= {
                "hidden_user": self.hidden_user.weight,
                "hidden_bias": self.hidden_user.bias,
                "hidden_item": self.hidden_item.weight,
                "product_weights": self.product_weights,
                "output": self.output,
            }
        elif self.model == "two_tower":
            named |= {
                "user_hidden": self.user_hidden.weight,
                "user_hidden_bias": self.user_hidden.bias,
                "user_output": self.user_output.weight,
                "user_output_bias": self.user_output.bias,
                "sharpness": self.sharpness,
            }
        elif self.model == "self_attention":
            named |= {
                "places": self.places,
                "last_norm": self.last_norm.weight,
                "last_norm_bias": self.last_norm.bias,
            }
            for number, block in enumerate(self.blocks):
                for name, layer in block.named_children():
                    if isinstance(layer, nn.Dropout):
                        continue
                    assert isinstance(layer, nn.Linear | nn.LayerNorm)
                    named |= {f"{name}.{number}": layer.weight, f"{name}_bias.{number}": layer.bias}
        return named


class _Block(nn.Module):
    """Self-attention and a perceptron, each behind a norm and beside a short cut."""

    def __init__(self, size: int, hidden: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.heads = heads
        self.norm, self.wide_norm = nn.LayerNorm(size), nn.LayerNorm(size)
        self.mix, self.join = nn.Linear(size, 3 * size), nn.Linear(size, size)
        self.wide, self.narrow = nn.Linear(size, hidden), nn.Linear(hidden, size)
        self.dropout = nn.Dropout(dropout)

    def forward(self, found: Tensor, seen: Tensor) -> Tensor:
        """Return the places changed by what they see.

        Args:
            found: (rows, length, size).
            seen: Which places each one looks at, bool, (rows, length, length).
        """
        rows, count, size = found.shape
        mixed = self.mix(self.norm(found)).reshape(rows, count, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        looked = functional.scaled_dot_product_attention(mixed[0], mixed[1], mixed[2], seen[:, None])
        found = found + self.dropout(self.join(looked.transpose(1, 2).reshape(rows, count, size)))
        hidden = self.dropout(self.wide(self.wide_norm(found)).relu())
        return found + self.narrow(hidden)  # type: ignore[no-any-return]
