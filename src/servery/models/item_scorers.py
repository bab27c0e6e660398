"""How well each item fits a history, in numpy: neighbours, similar users, texts, factors and small networks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from scipy import sparse

Tensors = Mapping[str, np.ndarray]
LAYER_NORM_EPSILON = 1e-5
"""As torch has it."""


class ItemScorer(ABC):
    """Scores all items for one history.

    Args:
        tensors: What was learned, by name.
        settings: Numbers of the recipe that count in answering.

    Raises:
        ValueError: The tensors are of shapes that do not fit.
    """

    name: ClassVar[str]

    def __init__(self, tensors: Tensors, settings: Mapping[str, Any]) -> None:
        self.tensors, self.settings = tensors, settings

    @abstractmethod
    def scores(self, items: np.ndarray, ages: np.ndarray) -> np.ndarray:
        """Return the score of every item, float32, (items,).

        Args:
            items: Numbers of the items of the history, the oldest first, int64, (events,), not empty.
            ages: Days before the last event, float32, (events,).
        """


class Popularity(ItemScorer):
    """What most users took."""

    name = "popularity"

    def scores(self, items: np.ndarray, ages: np.ndarray) -> np.ndarray:
        """Return the popularity."""
        return np.asarray(self.tensors["popularity"])


class Neighbours(ItemScorer):
    """The sum of the weights from each item of the history to all others.

    Reads `sources`, `targets`, int64, and `weights`, float32, (pairs,): sparse, item by item.
    """

    name = "neighbours"

    def __init__(self, tensors: Tensors, settings: Mapping[str, Any]) -> None:
        super().__init__(tensors, settings)
        self._weights = _sparse(tensors, "sources", "targets", "weights", len(tensors["popularity"]))

    def scores(self, items: np.ndarray, ages: np.ndarray) -> np.ndarray:
        """Return the sums."""
        chosen = np.unique(items)
        return np.asarray(self._weights[chosen].sum(axis=0), np.float32).ravel()


class SimilarUsers(ItemScorer):
    """What the most similar users took, weighed by how similar they are (cosine of the sets of items).

    Reads `users` and `taken`, int64, (pairs,): who took what, each pair once; and `user_count`, (1,).
    """

    name = "similar_users"

    def __init__(self, tensors: Tensors, settings: Mapping[str, Any]) -> None:
        super().__init__(tensors, settings)
        users, items = tensors["users"], tensors["taken"]
        shape = (int(tensors["user_count"][0]), len(tensors["popularity"]))
        self._taken = sparse.csr_matrix((np.ones(len(users), np.float32), (users, items)), shape)
        self._takers = self._taken.tocsc()
        self._lengths = np.sqrt(np.maximum(np.asarray(self._taken.sum(axis=1)).ravel(), 1.0))

    def scores(self, items: np.ndarray, ages: np.ndarray) -> np.ndarray:
        """Return the sums of similarities."""
        chosen = np.unique(items)
        shared = np.asarray(self._takers[:, chosen].sum(axis=1)).ravel()
        similar = shared / (self._lengths * np.sqrt(len(chosen)))
        count = min(int(self.settings["neighbours"]), len(similar))
        nearest = np.argsort(-similar, kind="stable")[:count]
        weights = np.asarray(similar[nearest], np.float32)
        return np.asarray(self._taken[nearest].T @ weights, np.float32)


class Texts(ItemScorer):
    """The cosine of an item's words and those of the history.

    Reads `text_items` and `terms`, int64, and `text_weights`, float32, (pairs,): items by terms, rows of length 1.
    """

    name = "texts"

    def __init__(self, tensors: Tensors, settings: Mapping[str, Any]) -> None:
        super().__init__(tensors, settings)
        width = int(tensors["terms"].max(initial=0)) + 1
        shape = (len(tensors["popularity"]), width)
        entries = (tensors["text_items"], tensors["terms"])
        self._terms = sparse.csr_matrix((tensors["text_weights"], entries), shape)

    def scores(self, items: np.ndarray, ages: np.ndarray) -> np.ndarray:
        """Return the mean cosines."""
        weights = decayed(ages, self.settings).astype(np.float32)
        profile = self._terms[items].T @ (weights / weights.sum())
        return np.asarray(self._terms @ profile, np.float32)


class Factors(ItemScorer):
    """A user's factors are what explains their history best, given those of the items.

    Reads `factors`, float32, (items, size), and `gram`, float32, (size, size), the items' factors with each other.

    Source: Hu, Koren, Volinsky (2008), Collaborative filtering for implicit feedback datasets, section 4.
    """

    name = "factors"

    def scores(self, items: np.ndarray, ages: np.ndarray) -> np.ndarray:
        """Return the products of the user's and the items' factors."""
        factors = self.tensors["factors"]
        chosen, counts = np.unique(items, return_counts=True)
        user = folded_in(factors[chosen], counts, self.tensors["gram"], self.settings)
        return np.asarray(factors @ user, np.float32)


class MeanVector(ItemScorer):
    """The product of the history's mean vector with an item's; reads `history_vectors`, `item_vectors`, `biases`."""

    name = "mean_vector"

    def scores(self, items: np.ndarray, ages: np.ndarray) -> np.ndarray:
        """Return the products."""
        user = self.tensors["history_vectors"][_latest(items, self.settings)].mean(axis=0)
        return np.asarray(self.tensors["item_vectors"] @ user + self.tensors["biases"], np.float32)


class NeuralFiltering(ItemScorer):
    """A product of user and item weighed factor by factor, plus a perceptron over both.

    Source: He et al. (2017), Neural collaborative filtering, section 3.4; the user is the mean of the history.
    """

    name = "neural_filtering"

    def __init__(self, tensors: Tensors, settings: Mapping[str, Any]) -> None:
        super().__init__(tensors, settings)
        self._items = tensors["item_vectors"] @ tensors["hidden_item"].T + tensors["hidden_bias"]
        self._weighed = tensors["item_vectors"] * tensors["product_weights"]

    def scores(self, items: np.ndarray, ages: np.ndarray) -> np.ndarray:
        """Return the sums of product and perceptron."""
        tensors = self.tensors
        user = tensors["history_vectors"][_latest(items, self.settings)].mean(axis=0)
        hidden = np.maximum(self._items + tensors["hidden_user"] @ user, 0.0)
        return np.asarray(self._weighed @ user + hidden @ tensors["output"] + tensors["biases"], np.float32)


class TwoTower(ItemScorer):
    """A perceptron makes the user of the history; the items' tower has been climbed already.

    Source: Yi et al. (2019), Sampling-bias-corrected neural modeling for large corpus item recommendations, section 3.
    """

    name = "two_tower"

    def scores(self, items: np.ndarray, ages: np.ndarray) -> np.ndarray:
        """Return the cosines, sharpened."""
        tensors = self.tensors
        mean = tensors["history_vectors"][_latest(items, self.settings)].mean(axis=0)
        hidden = np.maximum(tensors["user_hidden"] @ mean + tensors["user_hidden_bias"], 0.0)
        user = tensors["user_output"] @ hidden + tensors["user_output_bias"] + mean
        user = user / max(float(np.linalg.norm(user)), 1e-12)
        return np.asarray(
            tensors["item_vectors"] @ user * tensors["sharpness"][0] + tensors["biases"], np.float32
        )


class SelfAttention(ItemScorer):
    """Blocks of self-attention over the latest events; the last place is the user.

    Source: Kang and McAuley (2018), Self-attentive sequential recommendation (SASRec), section III.
    """

    name = "self_attention"

    def scores(self, items: np.ndarray, ages: np.ndarray) -> np.ndarray:
        """Return the products of the last place with all items."""
        tensors = self.tensors
        latest = _latest(items, self.settings)
        # The last event has place 0, the one before place 1, so that short histories look like the ends of long ones.
        places = np.arange(len(latest))[::-1]
        found = tensors["history_vectors"][latest] + tensors["places"][places]
        for block in range(int(self.settings["blocks"])):
            found = self._block(found, block)
        user = _normalised(found[-1], tensors["last_norm"], tensors["last_norm_bias"])
        return np.asarray(tensors["item_vectors"] @ user + tensors["biases"], np.float32)

    def _block(self, found: np.ndarray, block: int) -> np.ndarray:
        def tensor(name: str) -> np.ndarray:
            return self.tensors[f"{name}.{block}"]

        heads = int(self.settings["heads"])
        normed = _normalised(found, tensor("norm"), tensor("norm_bias"))
        mixed = normed @ tensor("mix").T + tensor("mix_bias")  # (events, 3 x size)
        query, key, value = (
            part.reshape(len(found), heads, -1).transpose(1, 0, 2) for part in np.split(mixed, 3, axis=1)
        )  # (heads, events, size / heads)
        weights = query @ key.transpose(0, 2, 1) / np.float32(np.sqrt(query.shape[2]))
        weights = np.exp(weights - weights.max(axis=2, keepdims=True))
        looked = (weights / weights.sum(axis=2, keepdims=True)) @ value
        found = (
            found + looked.transpose(1, 0, 2).reshape(len(found), -1) @ tensor("join").T + tensor("join_bias")
        )
        normed = _normalised(found, tensor("wide_norm"), tensor("wide_norm_bias"))
        hidden = np.maximum(normed @ tensor("wide").T + tensor("wide_bias"), 0.0)
        return np.asarray(found + hidden @ tensor("narrow").T + tensor("narrow_bias"))


SCORERS: dict[str, type[ItemScorer]] = {
    scorer.name: scorer
    for scorer in (
        Popularity,
        Neighbours,
        SimilarUsers,
        Texts,
        Factors,
        MeanVector,
        NeuralFiltering,
        TwoTower,
        SelfAttention,
    )
}


def decayed(ages: np.ndarray, settings: Mapping[str, Any]) -> np.ndarray:
    """Return how much events of these ages count: half as much each half-life; alike where that is 0."""
    half_life = float(settings.get("half_life_days", 0.0))
    return np.exp2(-ages / half_life) if half_life else np.ones(len(ages))


def folded_in(
    factors: np.ndarray, counts: np.ndarray, gram: np.ndarray, settings: Mapping[str, Any]
) -> np.ndarray:
    """Return the factors of somebody who took these items, float32, (size,).

    Args:
        factors: Of the items that were taken, (taken, size).
        counts: How often each was, (taken,).
        gram: Products of the factors of all items, (size, size).
        settings: Gives `confidence` and `penalty`.

    Source: Hu, Koren, Volinsky (2008), section 4, equation 4, with confidence 1 + a log(1 + times taken).
    """
    extra = settings["confidence"] * np.log1p(counts)
    left = gram + (factors * extra[:, None]).T @ factors + settings["penalty"] * np.eye(len(gram))
    return np.asarray(np.linalg.solve(left, (1.0 + extra) @ factors), np.float32)


def _sparse(tensors: Tensors, rows: str, columns: str, values: str, size: int) -> Any:
    return sparse.csr_matrix((tensors[values], (tensors[rows], tensors[columns])), (size, size))


def _latest(items: np.ndarray, settings: Mapping[str, Any]) -> np.ndarray:
    return np.asarray(items[-int(settings["length"]) :])


def _normalised(found: np.ndarray, scale: np.ndarray, shift: np.ndarray) -> np.ndarray:
    centred = found - found.mean(axis=-1, keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + np.float32(LAYER_NORM_EPSILON))
    return np.asarray(centred / spread * scale + shift)
