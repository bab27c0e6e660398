"""Recommenders that count: popularity, neighbours among items and users, texts, and a linear autoencoder."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from servery.data.dataset import Dataset
from servery.errors import DataError
from servery.models.families._recommendation import EventLog, RecommenderRecipe, event_count, strongest
from servery.models.recipe import Cost, Work

CHUNK = 1000
"""Items whose similarities to all others are in memory at once."""
RECENT_DAYS = 14.0
"""Half-life of what is in demand now, beside what was in demand all along."""
DEMAND_PRIOR = 100.0
"""Events that the demand of all times weighs against those of late; keeps a trend from being made of three events."""
_WORD = r"(?u)[\u3040-\u30ff\u3400-\u9fff]|[^\W\u3040-\u30ff\u3400-\u9fff]{2,}"
"""A word of two letters and more, or one character of a script that writes without spaces."""


class PopularityRecipe(RecommenderRecipe):
    """Recommends the same to everybody."""

    name = "popularity"
    title = "Popularity"
    summary = (
        "Recommends what most users took lately; what every other recipe has to beat (Cremonesi, Koren and Turrin "
        "2010, section 4)."
    )
    model = "popularity"
    defaults = {"half_life_days": 30.0}
    search_space = {"half_life_days": (0.0, 14.0, 30.0, 90.0)}

    def learn(self, log: EventLog, settings: Mapping[str, Any], work: Work) -> dict[str, np.ndarray]:
        """Count."""
        return {"popularity": log.popularity(settings["half_life_days"])}


class ItemNeighbours(RecommenderRecipe):
    """Recommends what the same users took as the items of the history."""

    name = "item-knn"
    title = "Item neighbours"
    summary = (
        "Recommends the items whose takers are those of the history's items, by cosine (Deshpande and Karypis 2004, "
        "section 4); an item counts as its own neighbour as often as it was taken."
    )
    model = "neighbours"
    defaults = {"neighbours": 100, "shrinkage": 0.0, "repeat_weight": 1.0, "half_life_days": 0.0}
    search_space = {"neighbours": (20, 50, 100, 200), "shrinkage": (0.0, 10.0), "repeat_weight": (0.0, 1.0)}

    def learn(self, log: EventLog, settings: Mapping[str, Any], work: Work) -> dict[str, np.ndarray]:
        """Compare all items, a thousand at a time, and keep the nearest of each."""
        taken = log.taken().tocsc()
        lengths = np.sqrt(np.maximum(np.asarray(taken.sum(axis=0)).ravel(), 1.0))
        found = []
        for start in range(0, len(log.items), CHUNK):
            rows = np.arange(start, min(start + CHUNK, len(log.items)))
            shared = np.asarray((taken[:, rows].T @ taken).todense(), np.float32)
            similar = shared / (np.outer(lengths[rows], lengths) + settings["shrinkage"])
            similar[np.arange(len(rows)), rows] = 0.0
            found.append(_pairs(similar, similar, rows, settings["neighbours"]))
        targets, sources, weights = (np.concatenate(parts) for parts in zip(*found, strict=True))
        return {"sources": sources, "targets": targets, "weights": weights}


class UserNeighbours(RecommenderRecipe):
    """Recommends what similar users took."""

    name = "user-knn"
    title = "User neighbours"
    summary = (
        "Recommends what the users took who took the same, by cosine (Herlocker et al. 1999, section 3); nothing is "
        "learned but who took what."
    )
    model = "similar_users"
    defaults = {"neighbours": 200, "repeat_weight": 1.0, "half_life_days": 0.0}
    search_space = {"neighbours": (50, 100, 200, 400), "repeat_weight": (0.0, 1.0)}

    def learn(self, log: EventLog, settings: Mapping[str, Any], work: Work) -> dict[str, np.ndarray]:
        """Keep who took what."""
        pairs = log.taken().tocoo()
        return {
            "users": pairs.row.astype(np.int64),
            "taken": pairs.col.astype(np.int64),
            "user_count": np.array([log.user_count], np.int64),
        }


class ContentVectors(RecommenderRecipe):
    """Recommends items whose texts are like those of the history."""

    name = "content-vectors"
    title = "Content vectors"
    summary = (
        "Recommends items whose words are those of the history's items, by the cosine of tf-idf vectors (Lops, de "
        "Gemmis and Semeraro 2011, section 3.3); needs no other users."
    )
    model = "texts"
    defaults = {"min_items": 1, "repeat_weight": 1.0, "half_life_days": 90.0}
    search_space = {"min_items": (1, 2), "half_life_days": (0.0, 30.0, 90.0), "repeat_weight": (0.0, 1.0)}

    def learn(self, log: EventLog, settings: Mapping[str, Any], work: Work) -> dict[str, np.ndarray]:
        """Weigh the words of each item."""
        from sklearn.feature_extraction.text import TfidfVectorizer  # takes a second to load

        if not any(log.texts):
            raise DataError(
                "No item has a text to compare.",
                hint="bring a column text with what each item is called, or choose item-knn",
                param="data",
            )
        reader = TfidfVectorizer(
            token_pattern=_WORD, min_df=settings["min_items"], sublinear_tf=True, dtype=np.float32
        )
        terms = reader.fit_transform([text or "-" for text in log.texts]).tocoo()
        return {
            "text_items": terms.row.astype(np.int64),
            "terms": terms.col.astype(np.int64),
            "text_weights": terms.data.astype(np.float32),
        }


class LinearAutoencoder(RecommenderRecipe):
    """Learns the weights from each item to all others at once."""

    name = "ease"
    title = "Linear autoencoder"
    summary = (
        "Learns the weights from each item of a history to all others in closed form (EASE: Steck 2019, section 3), "
        "beside how often and how lately the user took it (Hu et al. 2020, section 3) and whether it is in demand now."
    )
    model = "neighbours"
    defaults = {
        "penalty": 0.25,
        "neighbours": 300,
        "most_items": 6000,
        "repeat_weight": 0.6,
        "half_life_days": 240.0,
        "trend": 0.2,
        "popularity_weight": 1.0,
    }
    search_space = {
        "penalty": (0.1, 0.25, 0.5, 1.0),
        "repeat_weight": (0.0, 0.3, 0.6, 1.0),
        "half_life_days": (30.0, 120.0, 240.0),
        "trend": (0.0, 0.2, 0.4),
    }

    def cost(self, dataset: Dataset, hyperparameters: Mapping[str, Any], threads: int) -> Cost:
        """Estimate from the events and the cube of the items, of which there are seldom more than the rows."""
        plain = super().cost(dataset, hyperparameters, threads)
        items = min(hyperparameters["most_items"], event_count(dataset) // 10 + 10)
        seconds = plain.seconds + 2 * 2.5 * items**3 / (2e10 * threads)
        memory = plain.memory_bytes + 24 * items**2
        return Cost(seconds, memory, f"{plain.reason}, at most {items:,} items")

    def learn(self, log: EventLog, settings: Mapping[str, Any], work: Work) -> dict[str, np.ndarray]:
        """Invert the counts of items taken together; rare items beyond `most_items` have no weights."""
        taken = log.taken().tocsc()
        counts = np.asarray(taken.sum(axis=0)).ravel()
        kept = np.sort(np.argsort(-counts, kind="stable")[: settings["most_items"]])
        together = np.asarray((taken[:, kept].T @ taken[:, kept]).todense(), np.float64)
        together[np.diag_indices(len(kept))] += settings["penalty"] * log.user_count
        inverse = np.linalg.inv(together)
        weights = (-inverse / np.diag(inverse)[None]).astype(np.float32)
        np.fill_diagonal(weights, 0.0)
        sources, targets, values = _pairs(
            weights, np.abs(weights), np.arange(len(kept)), settings["neighbours"]
        )
        return {
            "sources": kept[sources],
            "targets": kept[targets],
            "weights": values,
            "trend": demand(log) ** np.float32(settings["trend"]),
            "lift": np.float32(settings["popularity_weight"]) * log.popularity(RECENT_DAYS),
        }


def demand(log: EventLog) -> np.ndarray:
    """Return how many times its usual share of the demand each item has of late, float32, (items,)."""
    ages = log.days.max(initial=0.0) - log.days
    usual = np.bincount(log.numbers, minlength=len(log.items)).astype(np.float64)
    lately = np.bincount(log.numbers, np.exp2(-ages / RECENT_DAYS), len(log.items))
    share = usual / usual.sum()
    recent = (lately + DEMAND_PRIOR * share) / (lately.sum() + DEMAND_PRIOR)
    return np.asarray(recent / share, np.float32)


def _pairs(
    values: np.ndarray, sizes: np.ndarray, rows: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return row, column and value of the largest entries of each row, those that are nothing left out."""
    columns = np.sort(strongest(sizes, count), axis=1)
    chosen = np.take_along_axis(values, columns, axis=1)
    is_some = chosen != 0.0
    return np.broadcast_to(rows[:, None], columns.shape)[is_some], columns[is_some], chosen[is_some]


POPULARITY = PopularityRecipe()
ITEM_NEIGHBOURS = ItemNeighbours()
USER_NEIGHBOURS = UserNeighbours()
CONTENT_VECTORS = ContentVectors()
LINEAR_AUTOENCODER = LinearAutoencoder()
