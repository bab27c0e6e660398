"""Tiny hyperparameters of the recipes that find anomalies."""

from typing import Any

TINY: dict[str, dict[str, Any]] = {"anomaly-detection/isolation-forest": {"trees": 50, "rows_a_tree": 128}}
BY_HEART = {"anomaly-detection": ("roc_auc", 0.8)}
