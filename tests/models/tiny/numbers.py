"""Tiny hyperparameters of the recipes that answer with a number."""

from typing import Any

TINY: dict[str, dict[str, Any]] = {
    "regression/linear": {},
    "regression/gaussian-process": {"rows_to_choose_by": 60, "refining_steps": 5},
    "regression/mlp": {
        "batch_size": 16,
        "average_decay": 0.0,
        "patience": 50,
        "learning_rate": 1e-2,
        "dropout": 0.0,
        "hidden_sizes": [32],
    },
    "regression/deep-ensemble": {
        "batch_size": 16,
        "average_decay": 0.0,
        "patience": 50,
        "learning_rate": 1e-2,
        "hidden_sizes": [32],
        "members": 2,
    },
    "regression/gradient-boosting": {"rounds": 80, "learning_rate": 0.2, "bags": 2, "patience": 60},
}
BY_HEART = {"regression": ("r2", 0.9)}
LONGER = {
    "regression/gradient-boosting": {
        "rounds": 300,
        "bags": 1,
        "min_rows_in_leaf": 1,
        "row_share": 1.0,
        "column_share": 1.0,
        "l2": 0.0,
    },
    "regression/mlp": {"epochs": 200},
    "regression/deep-ensemble": {"epochs": 200},
}
SHORTER = {"regression/gradient-boosting": {"rounds": 5, "bags": 2}}
