"""Tiny hyperparameters of the recipes that draw."""

from typing import Any

TRAINING = {"batch_size": 16, "patience": 999, "average_decay": 0.9}
STEPS = {**TRAINING, "widths": [24, 24], "patch": 4, "steps": 4, "learning_rate": 5e-3}
TINY: dict[str, dict[str, Any]] = {
    "image-generation/vae": {**TRAINING, "widths": [16, 16], "latent": 8, "learning_rate": 5e-3},
    "image-generation/diffusion": STEPS,
    "image-generation/flow-matching": STEPS,
}
LONGER: dict[str, dict[str, Any]] = {
    "image-generation/diffusion": {"epochs": 120},
    "image-generation/flow-matching": {"epochs": 120},
}
BY_HEART = {"image-generation": ("nearest_real_share", 0.8)}
