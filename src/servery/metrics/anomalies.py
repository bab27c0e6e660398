"""How well unusual rows are told from usual ones: their ranking, and alarms at a promised rate of false ones."""

from __future__ import annotations

import numpy as np

from servery.metrics.ranking_curves import Ranking


def anomaly_metrics(is_anomaly: np.ndarray, scores: np.ndarray, threshold: float) -> dict[str, float]:
    """Return the metrics by name; NaN for one that is undefined on these rows.

    Args:
        is_anomaly: Which rows are, bool, (rows,).
        scores: How unusual each row looks, (rows,).
        threshold: Scores above it raise an alarm.

    >>> truth, scores = np.array([False, False, False, True]), np.array([0.1, 0.6, 0.2, 0.9])
    >>> found = anomaly_metrics(truth, scores, 0.5)
    >>> found["roc_auc"], round(found["false_alarm_rate"], 2), found["alarm_recall"], found["alarm_precision"]
    (1.0, 0.33, 1.0, 0.5)
    """
    ranking, alarms = Ranking.of(is_anomaly, scores), scores > threshold
    return {
        "average_precision": ranking.average_precision,
        "roc_auc": ranking.roc_auc,
        "false_alarm_rate": _share(alarms[~is_anomaly]),
        "alarm_recall": _share(alarms[is_anomaly]),
        "alarm_precision": _share(is_anomaly[alarms]),
    }


def _share(flags: np.ndarray) -> float:
    return float(flags.mean()) if len(flags) else float("nan")
