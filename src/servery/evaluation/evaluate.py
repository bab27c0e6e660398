"""Measures a model on rows that it never saw, beside two baselines, and says what to make of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np

from servery.data.dataset import Dataset
from servery.data.finding import Finding
from servery.errors import EmptyDataError
from servery.evaluation import labels as of_labels
from servery.evaluation.evaluation import Comparison, Evaluation, Metric
from servery.evaluation.mistakes import confident_mistakes
from servery.evaluation.referee import Judge, judge_of
from servery.evaluation.slices import worst_slices
from servery.evaluation.verdict import judge, suspected_leaks
from servery.evaluation.view import Case, all_views
from servery.metrics.resampling import Interval, bootstrap
from servery.models.predictor import Predictor
from servery.tasks.label_task import LabelTask, carried, selected
from servery.tasks.task import Judgement, LearnableTask, learnable

__all__ = ["Evaluation", "evaluate"]


@dataclass(frozen=True)
class _Baseline:
    name: str
    judgement: Judgement


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
        facts: What else is known; read here are `is_sample`, and `subgroups`: columns by which it is judged too.
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
    referee = judge_of(task, train)
    baselines = [_trivial(predictor, referee, train, targets)]
    if cheap_baseline is not None:
        baselines.append(_cheap(cheap_baseline, referee, test, labels, targets))
    judgement = referee.judge(targets, outputs, calibration)
    metrics, comparisons = _measure(judgement, referee.primary_metric, len(test), baselines, seed)
    leaks = suspected_leaks(findings, test, train)
    is_sample = bool((facts or {}).get("is_sample"))
    subgroups = tuple((facts or {}).get("subgroups", ()))
    verdict = judge(metrics[0], comparisons, len(test), leaks, is_sample)
    return Evaluation(
        task=task.name,
        recipe=predictor.recipe,
        primary_metric=referee.primary_metric,
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
        **_weaknesses(referee, test, train, referee.quality(targets, outputs, calibration)),
        **_of_labels(task, test, targets, outputs, predictor),
        views=_views(Case(predictor, task, test, train, targets, outputs, referee, subgroups)),
    )


def _trivial(predictor: Predictor, referee: Judge, train: Dataset, targets: np.ndarray) -> _Baseline:
    task, labels = learnable(predictor.task), predictor.signature.labels
    known = task.encode_targets(train, labels)
    # Calibrated on the same rows, so that with several labels a row it too has the thresholds it deserves.
    calibration = task.calibrate(known, task.trivial_outputs(known, len(labels), len(known)))
    calibration = replace(calibration, operating_point=predictor.calibration.operating_point)
    outputs = task.trivial_outputs(known, len(labels), len(targets))
    return _Baseline("trivial", referee.judge(targets, outputs, calibration))


def _cheap(
    predictor: Predictor, referee: Judge, test: Dataset, labels: Sequence[str], targets: np.ndarray
) -> _Baseline:
    task = learnable(predictor.task)
    outputs = predictor.outputs(list(test.examples()))
    aligned = task.aligned(outputs, predictor.calibration, predictor.signature.labels, labels)
    return _Baseline(predictor.recipe, referee.judge(targets, *aligned))


def _measure(
    judgement: Judgement, primary_metric: str, rows: int, baselines: Sequence[_Baseline], seed: int
) -> tuple[tuple[Metric, ...], tuple[Comparison, ...]]:
    """Measure the model and its lead over each baseline, with intervals from the same resamples."""

    def measure(rows: np.ndarray) -> dict[str, float]:
        found = judgement.measure(rows)
        for place, baseline in enumerate(baselines):
            found[f"lead {place}"] = found[primary_metric] - baseline.judgement.primary(rows)
        return found

    every = np.arange(rows)
    whole = measure(every)
    intervals = bootstrap(measure, rows, seed=seed)
    beside = [baseline.judgement.measure(every) for baseline in baselines]
    names = [name for name in whole if not name.startswith("lead ")]
    names.sort(key=lambda name: name != primary_metric)
    metrics = [
        Metric(name, whole[name], *_ends(intervals.get(name)), *(found.get(name) for found in beside))
        for name in names
    ]
    comparisons = []
    for place, baseline in enumerate(baselines):
        lead = whole[f"lead {place}"]
        interval = intervals.get(f"lead {place}", Interval(lead, lead))
        value = beside[place][primary_metric]
        comparisons.append(Comparison(baseline.name, value, lead, interval.low, interval.high))
    return tuple(metrics), tuple(comparisons)


def _ends(interval: Interval | None) -> tuple[float | None, float | None]:
    return (None, None) if interval is None else (interval.low, interval.high)


def _weaknesses(referee: Judge, test: Dataset, train: Dataset, quality: np.ndarray) -> dict[str, Any]:
    slices, examined = worst_slices(test, train, quality)
    return {
        "quality": referee.quality_title,
        "overall_quality": float(quality.mean()),
        "slices": slices,
        "slices_examined": examined,
    }


def _of_labels(
    task: LearnableTask, test: Dataset, targets: np.ndarray, outputs: np.ndarray, predictor: Predictor
) -> dict[str, Any]:
    """Return the parts of an evaluation that only a model with labels has."""
    if not isinstance(task, LabelTask):
        return {}
    labels, calibration = predictor.signature.labels, predictor.calibration
    scores = task.scores(outputs, calibration)
    truth, taken = carried(targets, len(labels)), selected(scores, targets, calibration)
    roc, precision_recall = of_labels.curves(targets, scores, labels, calibration)
    sureness = of_labels.sureness(scores, targets, taken)
    return {
        "confusion": of_labels.confusion(targets, scores, calibration),
        "label_rows": of_labels.label_rows(targets, scores, labels, calibration),
        "roc": roc,
        "precision_recall": precision_recall,
        "reliability": of_labels.reliability(task, targets, outputs, calibration),
        "thresholds": of_labels.thresholds(targets, scores, calibration),
        "mistakes": confident_mistakes(test, truth, taken, sureness, labels),
    }


def _views(case: Case) -> dict[str, Any]:
    """Return what the views of this task found, as plain JSON types."""
    looked = {view.name: view.look(case) for view in all_views() if view.accepts(case.task)}
    plain: dict[str, Any] = msgspec.json.decode(
        msgspec.json.encode(looked)
    )  # tuples become lists, as once read back
    return plain


def _finite(epoch: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in epoch.items() if math.isfinite(value)}
