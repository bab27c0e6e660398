"""Tiny hyperparameters of the recipes of recommendation."""

from typing import Any

NETWORK = {
    "size": 16,
    "hidden": 16,
    "length": 12,
    "batch_size": 32,
    "average_decay": 0.0,
    "patience": 50,
    "dropout": 0.0,
    "learning_rate": 1e-2,
}
NETWORKS = ("bpr", "neural-cf", "two-tower", "sequential")
TINY: dict[str, dict[str, Any]] = {
    **{
        f"recommendation/{name}": {}
        for name in ("popularity", "item-knn", "user-knn", "content-vectors", "ease")
    },
    "recommendation/matrix-factorization": {"size": 8, "rounds": 3},
    **{f"recommendation/{name}": NETWORK for name in NETWORKS},
}
ENOUGH = {f"recommendation/{name}": {"epochs": 3} for name in NETWORKS}
LONGER: dict[str, dict[str, Any]] = {f"recommendation/{name}": {"epochs": 6} for name in NETWORKS}
BY_HEART = {
    "recommendation": ("ndcg_at_10", 0.6),
    "recommendation/popularity": ("hit_rate_at_10", 0.5),  # it looks at nobody
}
