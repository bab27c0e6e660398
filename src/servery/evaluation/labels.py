"""What can be told of a model that answers with labels: confusion, curves, reliability, thresholds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from servery.evaluation.evaluation import Bin, Curve, LabelRow, Reliability, ThresholdRow
from servery.metrics import calibration as believable
from servery.metrics import classification, multi_label
from servery.metrics.ranking_curves import Ranking, precision_recall_curve, roc_curve
from servery.tasks.label_task import LabelTask, carried, decided, selected
from servery.tasks.task import Calibration

MOST_CURVES = 6
MOST_POINTS = 200
THRESHOLDS = tuple(round(0.1 * tenth, 1) for tenth in range(1, 10))


def sureness(scores: np.ndarray, targets: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """Return how sure the model was of each decision, float64, (rows, labels).

    A label taken is as sure as its score. One left is as sure as one minus it; with one label a row, leaving a
    label is no decision of its own.
    """
    return np.where(taken, scores, 0.0 if targets.ndim == 1 else 1.0 - scores)


def confusion(
    targets: np.ndarray, scores: np.ndarray, calibration: Calibration
) -> tuple[tuple[int, ...], ...]:
    """Return counts of true by predicted labels; empty for several labels a row."""
    if targets.ndim == 2:
        return ()
    matrix = classification.confusion_matrix(targets, decided(scores, calibration), scores.shape[1])
    return tuple(tuple(row) for row in matrix.tolist())


def label_rows(
    targets: np.ndarray, scores: np.ndarray, labels: Sequence[str], calibration: Calibration
) -> tuple[LabelRow, ...]:
    """Return how well each label was found."""
    measured = multi_label.per_label(carried(targets, len(labels)), selected(scores, targets, calibration))
    thresholds: Sequence[float | None] = calibration.thresholds or [None] * len(labels)
    columns = (measured.precision, measured.recall, measured.f1, measured.support)
    rows = zip(labels, *(column.tolist() for column in columns), thresholds, strict=True)
    return tuple(LabelRow(*row) for row in rows)


def positive_of(calibration: Calibration) -> int:
    """Return the place of the label to be found of two: the named one, else the last."""
    return calibration.operating_point.positive if calibration.operating_point else 1


def curves(
    targets: np.ndarray, scores: np.ndarray, labels: Sequence[str], calibration: Calibration
) -> tuple[tuple[Curve, ...], tuple[Curve, ...]]:
    """Return ROC and precision-recall curves: of the positive one of two labels, else of the most frequent ones."""
    truth = carried(targets, len(labels))
    chosen = (
        [positive_of(calibration)]
        if len(labels) == 2 and targets.ndim == 1
        else np.argsort(-truth.sum(axis=0), kind="stable")
    )
    rankings = {int(i): Ranking.of(truth[:, i], scores[:, i]) for i in chosen[:MOST_CURVES]}
    defined = {i: ranking for i, ranking in rankings.items() if ranking.is_defined}
    roc = [
        curve_of(labels[i], *roc_curve(truth[:, i], scores[:, i]), ranking.roc_auc)
        for i, ranking in defined.items()
    ]
    precision_recall = [
        curve_of(labels[i], *precision_recall_curve(truth[:, i], scores[:, i]), ranking.average_precision)
        for i, ranking in defined.items()
    ]
    return tuple(roc), tuple(precision_recall)


def curve_of(label: str, x: np.ndarray, y: np.ndarray, area: float) -> Curve:
    """Return a curve of at most 200 of its points, evenly spread along its length.

    Args:
        label: Its name.
        x: (points,).
        y: (points,).
        area: The metric it sums to.
    """
    if len(x) > MOST_POINTS:
        length = np.cumsum(np.abs(np.diff(x, prepend=x[0])) + np.abs(np.diff(y, prepend=y[0])))
        wanted = np.linspace(0.0, length[-1], MOST_POINTS - 1)
        kept = np.unique(np.append(np.searchsorted(length, wanted), len(x) - 1).clip(max=len(x) - 1))
        x, y = x[kept], y[kept]
    return Curve(label, tuple(x.round(5).tolist()), tuple(y.round(5).tolist()), area)


def reliability(
    task: LabelTask, targets: np.ndarray, outputs: np.ndarray, calibration: Calibration
) -> Reliability:
    """Return the reliability table with the fitted calibration, and the error without it."""
    before = task.scores(outputs, Calibration())
    table = believable.reliability(*believable.decisions(targets, task.scores(outputs, calibration)))
    bins = tuple(
        Bin(float(low), float(high), int(count), _known(mean), _known(share))
        for low, high, count, mean, share in zip(
            table.edges[:-1], table.edges[1:], table.counts, table.mean_scores, table.shares_true, strict=True
        )
    )
    return Reliability(
        bins=bins,
        ece=table.ece,
        ece_before=believable.ece(*believable.decisions(targets, before)),
        temperature=calibration.temperature,
        fitted_on=calibration.fitted_on,
    )


def _known(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def thresholds(targets: np.ndarray, scores: np.ndarray, calibration: Calibration) -> tuple[ThresholdRow, ...]:
    """Return what each threshold would give for the positive one of two labels; empty for other models."""
    if targets.ndim == 2 or scores.shape[1] != 2:
        return ()
    place = positive_of(calibration)
    return tuple(_threshold_row(targets == place, scores[:, place] >= t, t) for t in THRESHOLDS)


def _threshold_row(is_positive: np.ndarray, taken: np.ndarray, threshold: float) -> ThresholdRow:
    measured = multi_label.per_label(is_positive[:, None], taken[:, None])
    return ThresholdRow(
        threshold=threshold,
        selected_share=float(taken.mean()),
        precision=float(measured.precision[0]),
        recall=float(measured.recall[0]),
        f1=float(measured.f1[0]),
    )
