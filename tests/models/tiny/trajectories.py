"""Tiny hyperparameters of the recipes that tell tracks."""

from typing import Any

NETWORK = {
    "hidden_size": 24,
    "batch_size": 8,
    "patience": 50,
    "learning_rate": 6e-3,
    "average_decay": 0.0,
    "dropout": 0.0,
    "shaking": 0.0,
}
TINY: dict[str, dict[str, Any]] = {
    "trajectory-prediction/constant-velocity": {"modes": 3},
    "trajectory-prediction/lstm": NETWORK,
    "trajectory-prediction/social-attention": {**NETWORK, "heads": 2, "modes": 3},
}
LONGER = {name: {"epochs": 80, "learning_rate": 1e-2} for name in TINY if "constant" not in name}
BY_HEART = {
    "trajectory-prediction": ("skill", 0.55),
    "trajectory-prediction/constant-velocity": ("skill", -1e-6),  # knows nothing by heart
}
SHORTER = {name: {"shaking": 0.2} for name in TINY if "constant" not in name}
