"""Tiny hyperparameters of the recipes that forecast."""

from typing import Any

NETWORK = {
    "batch_size": 16,
    "average_decay": 0.0,
    "patience": 80,
    "learning_rate": 1e-2,
    "hidden_size": 16,
    "dropout": 0.0,
}
TREES = {"rounds": 40, "learning_rate": 0.2, "num_leaves": 7, "min_rows_in_leaf": 5, "patience": 30}
TINY: dict[str, dict[str, Any]] = {
    "forecasting/seasonal-naive": {},
    "forecasting/gradient-boosting": TREES,
    "forecasting/lstm": NETWORK,
    "forecasting/tcn": {**NETWORK, "num_layers": 3},
    "forecasting/graph-temporal": {**NETWORK, "graph_size": 8, "earlier_steps": 2},
}
ENOUGH: dict[str, dict[str, Any]] = {"forecasting/gradient-boosting": {"rounds": 80}}
LONGER: dict[str, dict[str, Any]] = {
    "forecasting/gradient-boosting": {
        "rounds": 150,
        "min_rows_in_leaf": 1,
        "row_share": 1.0,
        "column_share": 1.0,
        "l2": 0.0,
        "patience": 100,
    },
    "forecasting/lstm": {"epochs": 70, "hidden_size": 32},
    "forecasting/tcn": {"epochs": 70, "hidden_size": 32},
    "forecasting/graph-temporal": {"epochs": 60, "hidden_size": 32, "earlier_steps": 0},
}
SHORTER = {"forecasting/gradient-boosting": {"rounds": 3}}
BY_HEART = {
    "forecasting": ("d2", 0.75),
    "forecasting/seasonal-naive": ("d2", -1.0),  # it repeats, whatever it has seen
}
