"""The figures of a report: a title, a sentence with the numbers, a picture and the table behind it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from servery.evaluation import figures
from servery.evaluation.cross_validation import CrossValidation
from servery.evaluation.evaluation import Curve, Evaluation
from servery.evaluation.figure import Figure, Key
from servery.evaluation.metric_names import title_of

MOST_CONFUSED_LABELS = 30
MOST_EPOCHS = 100
"""Rows of the table of a long training, about: of more epochs every n-th is shown."""


def headline(evaluation: Evaluation) -> Figure:
    """Return the primary metric beside the baselines."""
    primary, title = evaluation.primary, title_of(evaluation.primary_metric)
    interval = ""
    if primary.low is not None and primary.high is not None:
        interval = f", with 95 % confidence between {primary.low:.3f} and {primary.high:.3f}"
    others = " and ".join(f"{_baseline(c.baseline)} {c.value:.3f}" for c in evaluation.comparisons)
    return Figure(
        f"{title} against the baselines",
        f"{title} is {primary.value:.3f} on {evaluation.rows:,} test rows{interval}; {others}.",
        figures.headline(primary, evaluation.comparisons),
        ("Model", title, "Lead of this model", "95 % interval of the lead"),
        (
            ("this model", f"{primary.value:.3f}", "", ""),
            *(
                (c.baseline, f"{c.value:.3f}", f"{c.difference:+.3f}", f"{c.low:+.3f} to {c.high:+.3f}")
                for c in evaluation.comparisons
            ),
        ),
    )


def _baseline(name: str) -> str:
    return "a model that ignores its input has" if name == "trivial" else f"the cheap {name} has"


def confusion(evaluation: Evaluation) -> Figure | None:
    """Return which labels are taken for which; of many labels, the most frequent ones."""
    if not evaluation.confusion:
        return None
    whole = np.array(evaluation.confusion)
    kept = np.sort(np.argsort(-whole.sum(axis=1), kind="stable")[:MOST_CONFUSED_LABELS])
    labels, matrix = [evaluation.labels[i] for i in kept], whole[np.ix_(kept, kept)]
    wrong = matrix * ~np.eye(len(labels), dtype=bool)
    true, said = np.unravel_index(int(wrong.argmax()), wrong.shape)
    sentence = "No row of one label was taken for another."
    if wrong.any():
        count, of = int(wrong[true, said]), int(matrix[true].sum())
        sentence = (
            f"The most frequent confusion is {labels[true]} taken for {labels[said]}: {count:,} rows, "
            f"{count / of:.0%} of {labels[true]}."
        )
    if len(kept) < len(whole):
        sentence += f" Shown are the {len(kept)} most frequent of {len(whole)} labels."
    rows = tuple(
        (label, *(f"{n:,}" for n in row)) for label, row in zip(labels, matrix.tolist(), strict=True)
    )
    return Figure(
        "Confusion matrix", sentence, figures.confusion(labels, matrix), ("True \\ predicted", *labels), rows
    )


def roc(evaluation: Evaluation) -> Figure | None:
    """Return the ROC curves."""
    if not evaluation.roc:
        return None
    sentence = f"The area under the curve of {_areas(evaluation.roc)}; 0.5 would be chance, 1 perfect."
    svg = figures.curves(evaluation.roc, "false positive rate", "true positive rate", "roc", ([0, 1], [0, 1]))
    return _curve_figure(
        "ROC curve", sentence, svg, evaluation.roc, ("False positive rate", "True positive rate")
    )


def precision_recall(evaluation: Evaluation) -> Figure | None:
    """Return the precision-recall curves; chance is the share of the first curve's label."""
    if not evaluation.precision_recall:
        return None
    first = evaluation.precision_recall[0].label
    support = next(row.support for row in evaluation.label_rows if row.label == first)
    share = support / evaluation.rows
    areas = _areas(evaluation.precision_recall)
    sentence = f"The average precision of {areas}; by chance that of {first} would be {share:.3f}."
    svg = figures.curves(
        evaluation.precision_recall, "recall", "precision", "precision-recall", ([0, 1], [share, share])
    )
    return _curve_figure(
        "Precision and recall", sentence, svg, evaluation.precision_recall, ("Recall", "Precision")
    )


def _areas(curves: Sequence[Curve]) -> str:
    return ", ".join(f"{curve.label} is {curve.area:.3f}" for curve in curves)


def _curve_figure(
    title: str, sentence: str, svg: str, curves: Sequence[Curve], axes: tuple[str, str]
) -> Figure:
    rows = []
    for curve in curves:
        # Every tenth point: enough to read a curve off.
        kept = sorted({*range(0, len(curve.x), 10), len(curve.x) - 1})
        rows += [(curve.label, f"{curve.x[i]:.3f}", f"{curve.y[i]:.3f}") for i in kept]
    keys = [
        Key(curve.label, "ink" if place else "accent", figures.DASHES[place])
        for place, curve in enumerate(curves)
    ]
    return Figure(
        title, sentence, svg, ("Label", *axes), tuple(rows), (*keys, Key("chance", "soft", figures.CHANCE))
    )


def reliability(evaluation: Evaluation) -> Figure | None:
    """Return whether scores can be believed."""
    found = evaluation.reliability
    if found is None or not any(b.count for b in found.bins):
        return None
    sentence = (
        f"On average a score is {100 * found.ece:.1f} percentage points off the share that comes true; "
        + (
            f"without the calibration, fitted on {found.fitted_on:,} validation rows, it would be "
            f"{100 * found.ece_before:.1f}."
            if found.fitted_on
            else "no calibration was fitted."
        )
    )
    rows = tuple(
        (f"{b.low:.2f} to {b.high:.2f}", f"{b.count:,}", f"{b.mean_score:.3f}", f"{b.share_true:.3f}")
        for b in found.bins
        if b.mean_score is not None
    )
    return Figure(
        "Can the scores be believed?",
        sentence,
        figures.reliability(found.bins),
        ("Score", "Decisions", "Mean score", "Share that came true"),
        rows,
        (
            Key("came true"),
            Key("as it should be", "soft", figures.CHANCE),
            Key("bars: how many decisions", "line"),
        ),
    )


def thresholds(evaluation: Evaluation) -> Figure | None:
    """Return what each threshold would give, of a model with two labels."""
    if not evaluation.thresholds:
        return None
    best = max(evaluation.thresholds, key=lambda row: row.f1)
    positive = evaluation.roc[0].label if evaluation.roc else evaluation.labels[1]
    sentence = (
        f"F1 of {positive} is highest, {best.f1:.3f}, when it is said from a score of "
        f"{best.threshold:.1f} on; that is in {best.selected_share:.0%} of the rows. "
        "Choose by what a miss and a false alarm cost."
    )
    rows = tuple(
        (
            f"{r.threshold:.1f}",
            f"{r.selected_share:.1%}",
            f"{r.precision:.3f}",
            f"{r.recall:.3f}",
            f"{r.f1:.3f}",
        )
        for r in evaluation.thresholds
    )
    return Figure(
        "Where to draw the line",
        sentence,
        figures.thresholds(evaluation.thresholds),
        ("Threshold", "Selected", "Precision", "Recall", "F1"),
        rows,
        (Key("F1"), Key("precision", "ink", figures.DASHES[1]), Key("recall", "ink", figures.DASHES[2])),
    )


def learning(evaluation: Evaluation) -> Figure | None:
    """Return how loss and validation metric went over the epochs."""
    history, metric = evaluation.history, evaluation.primary_metric
    names = [name for name in ("loss", metric) if history and all(name in epoch for epoch in history)]
    if len(history) < 2 or not names:
        return None
    epochs = [epoch.get("epoch", place + 1.0) for place, epoch in enumerate(history)]
    lines = [(name, [epoch[name] for epoch in history]) for name in names]
    best, parts = None, []
    for name, values in lines:
        title = "The loss" if name == "loss" else f"Validation {title_of(name)}"
        parts.append(f"{title} goes from {values[0]:.3f} to {values[-1]:.3f} in {len(history)} epochs")
    if metric in names:
        values = lines[-1][1]
        best = epochs[int(np.argmax(values))]
        parts.append(f"the best epoch is {best:.0f} with {max(values):.3f}")
    titled = [("loss" if n == "loss" else f"validation {title_of(n)}", values) for n, values in lines]
    rows = tuple(
        (f"{epochs[place]:.0f}", *(f"{values[place]:.4f}" for _, values in lines))
        for place in range(0, len(epochs), max(1, len(epochs) // MOST_EPOCHS))
    )
    return Figure(
        "How the learning went",
        "; ".join(parts) + ".",
        "".join(figures.learning(epochs, *line, best, place) for place, line in enumerate(titled)),
        ("Epoch", *(name for name, _ in titled)),
        rows,
    )


def slices(evaluation: Evaluation) -> Figure | None:
    """Return the weakest slices."""
    if not evaluation.slices:
        return None
    worst = evaluation.slices[0]
    by_chance = max(1, round(0.025 * evaluation.slices_examined))
    sentence = (
        f"Weakest is {worst.column} {worst.condition}: {worst.quality:.3f} against {evaluation.overall_quality:.3f} "
        f"over all rows, measured as the {evaluation.quality}. Of the {evaluation.slices_examined} slices examined "
        f"{'one' if by_chance == 1 else by_chance} may look clearly weaker by chance alone."
    )
    rows = tuple(
        (str(place), s.column, s.condition, f"{s.rows:,}", f"{s.quality:.3f}", f"{s.low:.3f} to {s.high:.3f}")
        for place, s in enumerate(evaluation.slices, 1)
    )
    return Figure(
        "Where it is weak",
        sentence,
        figures.slices(evaluation.slices, evaluation.overall_quality),
        ("", "Column", "Rows where it", "Rows", "Quality", "95 % interval"),
        rows,
    )


def folds(found: CrossValidation | None) -> Figure | None:
    """Return how much the primary metric depends on the split."""
    if found is None:
        return None
    name, title = found.primary_metric, title_of(found.primary_metric)
    values = [fold[name] for fold in found.folds]
    sentence = (
        f"Made again on {len(values)} other splits, {title} is {found.mean[name]:.3f}{found.interval(name)} "
        f"± {found.deviation[name]:.3f}, "
        f"from {min(values):.3f} to {max(values):.3f}; {found.grouping}."
    )
    names = list(found.mean)
    rows = tuple(
        (str(place), f"{count:,}", *(f"{fold[n]:.3f}" for n in names))
        for place, (fold, count) in enumerate(zip(found.folds, found.rows, strict=True), 1)
    )
    return Figure(
        "Cross-validation",
        sentence,
        figures.folds(values, found.mean[name]),
        ("Fold", "Rows", *(title_of(n) for n in names)),
        rows,
    )
