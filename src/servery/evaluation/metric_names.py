"""What the metrics are called and what they mean, for people."""

from __future__ import annotations

from collections.abc import Mapping

METRICS: Mapping[str, tuple[str, str, bool]] = {
    "macro_f1": ("Macro F1", "mean over the labels of the F1: every label counts the same", True),
    "micro_f1": ("Micro F1", "F1 over all decisions: frequent labels count more", True),
    "accuracy": ("Accuracy", "share of rows answered rightly", True),
    "balanced_accuracy": ("Balanced accuracy", "mean over the labels of the share found", True),
    "subset_accuracy": ("Exact rows", "share of rows where every label is right", True),
    "hamming_loss": ("Hamming loss", "share of single decisions that are wrong", False),
    "matthews_correlation": ("Matthews correlation", "of true and predicted labels; 0 is chance", True),
    "roc_auc": ("ROC AUC", "chance that a row of the label scores above one without; 0.5 is chance", True),
    "average_precision": ("Average precision", "mean precision over all levels of recall", True),
    "ks": ("KS", "largest distance between the two score distributions", True),
    "gini": ("Gini", "2 × ROC AUC − 1", True),
    "log_loss": ("Log loss", "how surprised the scores are by what is true", False),
    "brier": ("Brier score", "mean squared distance of scores and what is true", False),
    "ece": ("Calibration error", "mean distance of a score from the share that comes true", False),
}
"""Name to title, meaning, and whether larger is better."""


def title_of(metric: str) -> str:
    """Return a metric's name for people.

    >>> title_of("macro_f1")
    'Macro F1'
    """
    return METRICS[metric][0] if metric in METRICS else metric.replace("_", " ")


def meaning_of(metric: str) -> str:
    """Return what a metric says, in a clause; empty for one that is not known."""
    if metric not in METRICS:
        return ""
    _, meaning, is_larger_better = METRICS[metric]
    return meaning if is_larger_better else f"{meaning}; smaller is better"
