"""Tiny hyperparameters of the recipes that read recordings."""

from typing import Any

QUIET = {
    **dict.fromkeys(("speed", "pitch", "gain_decibels", "noise_share", "hole_seconds", "hole_bands"), 0.0),
    "batch_size": 8,
    "average_decay": 0.0,
    "patience": 200,
    "learning_rate": 5e-3,
    "dropout": 0.0,
    "bands": 16,
}
LAYERS: dict[str, dict[str, Any]] = {
    "speech-dnn": {"splice": 2, "hidden_sizes": [32, 32]},
    "speech-cnn": {"widths": [4, 8], "hidden_size": 24, "context": 2},
    "speech-rnn": {"hidden_size": 24, "num_layers": 1, "splice": 2},
}
TINY = {
    f"{kind}/{name}": {**QUIET, **layers}
    for name, layers in LAYERS.items()
    for kind in ("audio", "transcription")
}
BY_HEART = {"transcription": ("word_accuracy", 0.9)}
LONGER = {f"transcription/{name}": {"epochs": 120, "learning_rate": 1e-2} for name in LAYERS}
ENOUGH = {f"transcription/{name}": {"epochs": 20, "learning_rate": 1e-2} for name in LAYERS}
SHORTER = {
    f"{kind}/{name}": {
        "speed": 0.1,
        "pitch": 0.1,
        "gain_decibels": 6.0,
        "noise_share": 0.5,
        "hole_bands": 0.2,
    }
    | {"hole_seconds": 0.1, "dropout": 0.1}
    for name in LAYERS
    for kind in ("audio", "transcription")
}
