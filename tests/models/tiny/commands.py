"""Tiny hyperparameters of the recipes that understand commands."""

from typing import Any

NETWORK = {
    "batch_size": 25,
    "average_decay": 0.0,
    "patience": 50,
    "learning_rate": 1e-2,
    "word_size": 16,
    "shape_size": 8,
    "affix_size": 8,
    "character_filters": 8,
    "hidden_size": 16,
    "word_dropout": 0.1,
    "embedding_dropout": 0.0,
    "dropout": 0.0,
    "swapped_spans": 0.0,
}
TINY: dict[str, dict[str, Any]] = {
    "command-understanding/tfidf-linear": {},
    "command-understanding/joint-bilstm": NETWORK,
    "command-understanding/joint-cnn": NETWORK,
    "command-understanding/joint-transformer": {**NETWORK, "learning_rate": 3e-3},
}
LONGER: dict[str, dict[str, Any]] = {
    f"command-understanding/{name}": {"epochs": 24}
    for name in ("joint-bilstm", "joint-cnn", "joint-transformer")
}
BY_HEART = {
    "command-understanding": ("frame_accuracy", 0.9),
    "command-understanding/tfidf-linear": ("intent_accuracy", 0.95),  # it fills no slot from the text
}
