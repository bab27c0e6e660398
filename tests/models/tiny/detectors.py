"""Tiny hyperparameters of the detectors."""

from typing import Any

DETECTOR = {
    "longest_side": 64,
    "widths": [12, 24],
    "depth": 1,
    "neck": 16,
    "batch_size": 8,
    "epoch_rows": 0,
    "average_decay": 0.0,
    "patience": 50,
    "learning_rate": 8e-3,
    "zoom": 1.0,
    "jitter": 0.0,
    "flip": "none",
    "precision": "auto",
}
TINY: dict[str, dict[str, Any]] = {
    "detection/cnn": {**DETECTOR, "widths": [16]},
    "detection/centernet": DETECTOR,
}
BY_HEART = {"detection": ("map_50", 0.95)}
SHORTER = {name: {"zoom": 1.4, "jitter": 0.2, "flip": "all"} for name in TINY}
