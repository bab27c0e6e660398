"""Tiny hyperparameters of the recipes that learn to go on writing."""

from typing import Any

TRAINING = {
    "vocabulary_size": 320,
    "window_tokens": 32,
    "batch_size": 16,
    "learning_rate": 1e-2,
    "precision": "float32",
}
TINY: dict[str, dict[str, Any]] = {
    "text-generation/n-gram": {"order": 6},
    "text-generation/lstm": {**TRAINING, "embedding_size": 32, "hidden_size": 48, "dropout": 0.0},
    "text-generation/transformer": {
        **TRAINING,
        "vocabulary_size": 512,
        "window_tokens": 288,
        "learning_rate": 8e-3,
        "hidden_size": 48,
        "heads": 2,
        "num_layers": 1,
    },
}
BY_HEART = {"text-generation": ("character_chance", 0.65)}
SHORTER: dict[str, dict[str, Any]] = {"text-generation/lstm": {"dropout": 0.2}}
LONGER: dict[str, dict[str, Any]] = {"text-generation/transformer": {"epochs": 60, "batch_size": 2}}
