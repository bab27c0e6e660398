"""Tiny hyperparameters of the recipes that decide how to drive."""

from typing import Any

TINY: dict[str, dict[str, Any]] = {
    "driving-decision/behaviour-cloning": {
        "batch_size": 16,
        "average_decay": 0.0,
        "patience": 80,
        "learning_rate": 1e-2,
        "hidden_sizes": [32],
        "dropout": 0.0,
    },
    "driving-decision/dqn": {
        "steps": 40,
        "first_steps": 10,
        "batch_size": 8,
        "hidden_sizes": [16],
        "memory": 50,
    },
}
ENOUGH: dict[str, dict[str, Any]] = {
    "driving-decision/behaviour-cloning": {"epochs": 20},
    "driving-decision/dqn": {"steps": 80},
}
LONGER: dict[str, dict[str, Any]] = {}
SHORTER: dict[str, dict[str, Any]] = {"driving-decision/dqn": {"steps": 15, "first_steps": 5}}
BY_HEART = {
    "driving-decision": ("macro_f1", 0.75),
    "driving-decision/dqn": ("macro_f1", -1.0),  # it learns from the road, whatever the rows say
}
