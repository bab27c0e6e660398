"""How good lists of recommended items are, measured over all items there are."""

from __future__ import annotations

import numpy as np

SHORT, LONG = 10, 20
"""Items of a list that NDCG and hits look at, and recall."""


def list_measures(is_hit: np.ndarray, relevant: np.ndarray) -> dict[str, np.ndarray]:
    """Return NDCG@10, Recall@20, HitRate@10 and the reciprocal rank of each list.

    Args:
        is_hit: Whether each item of the lists was taken, the best first, bool, (rows, items).
        relevant: How many items were taken in all, also those that no list can name, (rows,).

    Returns:
        float64, (rows,) each; 0 for rows where nothing was taken.

    Source: Järvelin, Kekäläinen (2002), Cumulated gain-based evaluation of IR techniques, section 2.

    >>> found = list_measures(np.array([[True, False, True]]), np.array([2]))
    >>> {name: round(float(value[0]), 3) for name, value in found.items()}
    {'ndcg_at_10': 0.92, 'recall_at_20': 1.0, 'hit_rate_at_10': 1.0, 'mrr_at_100': 1.0}
    """
    discounts = 1.0 / np.log2(np.arange(2, SHORT + 2))
    best = np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(relevant, SHORT)]
    gained = is_hit[:, :SHORT] @ discounts[: is_hit.shape[1]]
    ranks = np.where(is_hit.any(axis=1), is_hit.argmax(axis=1) + 1.0, np.inf)
    return {
        "ndcg_at_10": gained / np.maximum(best, 1e-12),
        "recall_at_20": is_hit[:, :LONG].sum(axis=1) / np.maximum(relevant, 1),
        "hit_rate_at_10": is_hit[:, :SHORT].any(axis=1).astype(np.float64),
        "mrr_at_100": 1.0 / ranks,
    }
