"""Measures a model on rows that it never saw, beside two baselines, and says what to make of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from servery.data.dataset import Dataset
from servery.data.finding import Finding
from servery.errors import EmptyDataError
from servery.evaluation import labels as of_labels
from servery.evaluation.evaluation import Comparison, Evaluation, Metric
from servery.evaluation.mistakes import confident_mistakes
from servery.evaluation.slices import worst_slices
from servery.evaluation.verdict import judge, suspected_leaks
from servery.metrics.resampling import Interval, bootstrap
from servery.models.predictor import Predictor
from servery.tasks.task import Calibration, LearnableTask, learnable

__all__ = ["Evaluation", "evaluate"]

_NEVER = 1e-12
"""The score of a label that a baseline has never met."""


@dataclass(frozen=True)
class _Baseline:
    name: str
    outputs: np.ndarray
    calibration: Calibration


def evaluate(
    predictor: Predictor,
    test: Dataset,
    train: Dataset,
    *,
    cheap_baseline: Predictor | None = None,
    findings: Sequence[Finding] = (),
    history: Sequence[Mapping[str, float]] = (),
    facts: Mapping[str, Any] | None = None,
    seed: int = 0,
) -> Evaluation:
    """Evaluate a model.

    Args:
        predictor: The very thing that answers requests, calibrated.
        test: Rows to judge by, never used before.
        train: Rows it learned from: for the trivial baseline, and to see whether test rows are among them.
        cheap_baseline: A model that costs seconds, on the same question.
        findings: What the data checks found.
        history: One mapping an epoch of the training.
        facts: What else is known; read here is only `is_sample`.
        seed: The bootstrap depends on it only.

    Raises:
        EmptyDataError: There is no test row.
        DataError: A test row's target is missing or none of the model's labels.
    """
    if not len(test):
        raise EmptyDataError("There is no test row to measure on.", hint="give data with --data")
    task, labels, calibration = learnable(predictor.task), predictor.signature.labels, predictor.calibration
    targets = task.encode_targets(test, labels)
    outputs = predictor.outputs(list(test.examples()))
    baselines = [_trivial(task, train, labels, len(test))]
    if cheap_baseline is not None:
        baselines.append(_cheap(cheap_baseline, test, labels))
    metrics, comparisons = _measure(task, targets, outputs, calibration, baselines, seed)
    leaks = suspected_leaks(findings, test, train)
    is_sample = bool((facts or {}).get("is_sample"))
    verdict = judge(metrics[0], comparisons, len(test), leaks, is_sample)
    return Evaluation(
        task=task.name,
        recipe=predictor.recipe,
        primary_metric=task.primary_metric,
        labels=tuple(labels),
        rows=len(test),
        train_rows=len(train),
        metrics=metrics,
        comparisons=comparisons,
        verdict=verdict.sentence,
        is_trustworthy=verdict.is_trustworthy,
        cheap_recipe="" if cheap_baseline is None else cheap_baseline.recipe,
        findings=tuple(finding.to_dict() for finding in findings),
        history=tuple(_finite(epoch) for epoch in history),
        **_of_labels(task, test, train, targets, outputs, predictor),
    )


def _trivial(task: LearnableTask, train: Dataset, labels: Sequence[str], rows: int) -> _Baseline:
    targets = task.encode_targets(train, labels)
    # Calibrated on the same rows, so that with several labels a row it too has the thresholds it deserves.
    calibration = task.calibrate(targets, task.trivial_outputs(targets, len(labels), len(targets)))
    return _Baseline("trivial", task.trivial_outputs(targets, len(labels), rows), calibration)


def _cheap(predictor: Predictor, test: Dataset, labels: Sequence[str]) -> _Baseline:
    """Run the cheap baseline; its scores, in the order of the model's labels, become outputs that need no fitting."""
    fitted, is_single = predictor.calibration, not predictor.calibration.thresholds
    scores = (
        learnable(predictor.task)
        .scores(predictor.outputs(list(test.examples())), fitted)
        .clip(_NEVER, 1 - _NEVER)
    )
    logits = np.log(scores) if is_single else np.log(scores) - np.log1p(-scores)
    known = {label: place for place, label in enumerate(predictor.signature.labels)}
    outputs = np.full((len(test), len(labels)), np.log(_NEVER))
    thresholds = [0.5] * len(labels)
    for place, label in enumerate(labels):
        if label in known:
            outputs[:, place] = logits[:, known[label]]
            thresholds[place] = 0.5 if is_single else fitted.thresholds[known[label]]
    return _Baseline(
        predictor.recipe, outputs, Calibration(thresholds=() if is_single else tuple(thresholds))
    )


def _measure(
    task: LearnableTask,
    targets: np.ndarray,
    outputs: np.ndarray,
    calibration: Calibration,
    baselines: Sequence[_Baseline],
    seed: int,
) -> tuple[tuple[Metric, ...], tuple[Comparison, ...]]:
    """Measure the model and its lead over each baseline, with intervals from the same resamples."""

    def measure(rows: np.ndarray) -> dict[str, float]:
        found = task.measure(targets[rows], outputs[rows], calibration)
        for place, baseline in enumerate(baselines):
            other = task.primary(targets[rows], baseline.outputs[rows], baseline.calibration)
            found[f"lead {place}"] = found[task.primary_metric] - other
        return found

    whole = measure(np.arange(len(targets)))
    intervals = bootstrap(measure, len(targets), seed=seed)
    beside = [task.measure(targets, baseline.outputs, baseline.calibration) for baseline in baselines]
    names = [name for name in whole if not name.startswith("lead ")]
    names.sort(key=lambda name: name != task.primary_metric)
    metrics = [
        Metric(name, whole[name], *_ends(intervals.get(name)), *(found.get(name) for found in beside))
        for name in names
    ]
    comparisons = []
    for place, baseline in enumerate(baselines):
        lead = whole[f"lead {place}"]
        interval = intervals.get(f"lead {place}", Interval(lead, lead))
        value = beside[place][task.primary_metric]
        comparisons.append(Comparison(baseline.name, value, lead, interval.low, interval.high))
    return tuple(metrics), tuple(comparisons)


def _ends(interval: Interval | None) -> tuple[float | None, float | None]:
    return (None, None) if interval is None else (interval.low, interval.high)


def _of_labels(
    task: LearnableTask,
    test: Dataset,
    train: Dataset,
    targets: np.ndarray,
    outputs: np.ndarray,
    predictor: Predictor,
) -> dict[str, Any]:
    """Return the parts of an evaluation that only a model with labels has."""
    labels, calibration = predictor.signature.labels, predictor.calibration
    scores = task.scores(outputs, calibration)
    truth = of_labels.carried(targets, len(labels))
    taken = of_labels.selected(scores, targets, calibration)
    quality = of_labels.quality(truth, taken)
    roc, precision_recall = of_labels.curves(targets, scores, labels)
    slices, examined = worst_slices(test, train, quality)
    return {
        "confusion": of_labels.confusion(targets, scores),
        "label_rows": of_labels.label_rows(targets, scores, labels, calibration),
        "roc": roc,
        "precision_recall": precision_recall,
        "reliability": of_labels.reliability(task, targets, outputs, calibration),
        "thresholds": of_labels.thresholds(targets, scores),
        "quality": "share of rows answered rightly"
        if targets.ndim == 1
        else "F1 of a row's labels, mean over rows",
        "overall_quality": float(quality.mean()),
        "slices": slices,
        "slices_examined": examined,
        "mistakes": confident_mistakes(
            test, truth, taken, of_labels.sureness(scores, targets, taken), labels
        ),
    }


def _finite(epoch: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in epoch.items() if math.isfinite(value)}
