"""How differently a decision treats groups of rows: shares said to be positive, and shares of mistakes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from servery.metrics.calibration import ece
from servery.metrics.decisions import Counts
from servery.metrics.ranking_curves import Ranking


def group_rates(is_positive: np.ndarray, said: np.ndarray) -> dict[str, float]:
    """Return the share said to be positive, sensitivity and specificity of the rows of one group, bool, (rows,)."""
    counts = Counts.of(is_positive, said)
    names = ("selection_rate", "sensitivity", "specificity")
    return {name: float(getattr(counts, name)) for name in names}


def group_metrics(is_positive: np.ndarray, scores: np.ndarray, said: np.ndarray) -> dict[str, float]:
    """Return by name how a decision does on the rows of one group; what is not defined on them is NaN.

    Args:
        is_positive: Whether the row is positive, bool, (rows,).
        scores: How likely that was thought, float64, (rows,).
        said: Whether it was said to be, bool, (rows,).
    """
    return {
        **group_rates(is_positive, said),
        "roc_auc": Ranking.of(is_positive, scores).roc_auc,
        "ece": ece(is_positive, scores),
    }


def fairness_metrics(groups: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Return how far groups lie apart, by name; NaN where fewer than two have what is compared.

    `demographic_parity_difference` is of the shares said to be positive, `equalized_odds_difference` the larger of
    the differences in sensitivity and in specificity. `impact_ratio` is the smallest share said to be positive
    through the largest, `other_impact_ratio` the same of the rows not said to be: which of them is the favour depends
    on the question, and that one below 0.8 is the four-fifths rule's sign of disparate impact.

    Args:
        groups: Name to what `group_rates` says of it.

    Source: Hardt, Price and Srebro (2016), Equality of opportunity in supervised learning, definition 2.1; Feldman
    et al. (2015), Certifying and removing disparate impact, definition 1.1.

    >>> women = {"selection_rate": 0.2, "sensitivity": 0.6, "specificity": 0.9}
    >>> men = {"selection_rate": 0.4, "sensitivity": 0.8, "specificity": 0.8}
    >>> found = fairness_metrics({"women": women, "men": men})
    >>> {name: round(value, 3) for name, value in found.items()}["impact_ratio"]
    0.5
    """
    selected = _known(groups, "selection_rate")
    odds = [_spread(_known(groups, name)) for name in ("sensitivity", "specificity")]
    return {
        "demographic_parity_difference": _spread(selected),
        "equalized_odds_difference": float(np.max(odds)),
        "impact_ratio": _ratio(selected),
        "other_impact_ratio": _ratio(1 - selected),
    }


def _known(groups: Mapping[str, Mapping[str, float]], name: str) -> np.ndarray:
    values = np.array([metrics[name] for metrics in groups.values()])
    return np.asarray(values[np.isfinite(values)])


def _spread(values: np.ndarray) -> float:
    return float(np.ptp(values)) if len(values) > 1 else float("nan")


def _ratio(shares: np.ndarray) -> float:
    return float(shares.min() / shares.max()) if len(shares) > 1 and shares.max() > 0 else float("nan")
