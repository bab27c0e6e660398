"""What an evaluation found: figures, tables and a verdict, as plain data that goes to JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import msgspec

from servery.errors import DataError


@dataclass(frozen=True)
class Metric:
    """One metric of the model with its 95 % interval, and the baselines' beside it; None where undefined."""

    name: str
    value: float
    low: float | None = None
    high: float | None = None
    trivial: float | None = None
    cheap: float | None = None

    def text(self) -> str:
        """Return value and interval for people.

        >>> Metric("macro_f1", 0.65, 0.63, 0.67).text()
        '0.650 [0.630-0.670]'
        """
        if self.low is None or self.high is None:
            return f"{self.value:.3f}"
        return f"{self.value:.3f} [{self.low:.3f}-{self.high:.3f}]"


@dataclass(frozen=True)
class Comparison:
    """How much better the model is than a baseline in the primary metric, with the paired 95 % interval.

    Attributes:
        baseline: "trivial", or the name of the cheap baseline's recipe.
        value: The baseline's primary metric.
        difference: The model's minus the baseline's.
        low: Lower end of the difference's interval.
        high: Upper end.
    """

    baseline: str
    value: float
    difference: float
    low: float
    high: float


@dataclass(frozen=True)
class LabelRow:
    """One label: how well it was found, how many rows carry it, and from which score it is selected."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int
    threshold: float | None = None


@dataclass(frozen=True)
class Curve:
    """Points of a ROC or precision-recall curve of one label, and the metric it sums to."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    area: float


@dataclass(frozen=True)
class Bin:
    """Scores within `low` and `high`: how many, their mean and the share that came true; None if empty."""

    low: float
    high: float
    count: int
    mean_score: float | None
    share_true: float | None


@dataclass(frozen=True)
class Reliability:
    """Whether scores can be believed, before and after the calibration.

    Attributes:
        bins: After the calibration.
        ece: Expected calibration error after the calibration.
        ece_before: The same without it.
        temperature: Fitted on validation.
        fitted_on: Rows of the validation part.
    """

    bins: tuple[Bin, ...]
    ece: float
    ece_before: float
    temperature: float
    fitted_on: int


@dataclass(frozen=True)
class ThresholdRow:
    """What selecting the positive label from one score on would give."""

    threshold: float
    selected_share: float
    precision: float
    recall: float
    f1: float


@dataclass(frozen=True)
class Slice:
    """Rows with something in common: their mean quality with its 95 % interval."""

    column: str
    condition: str
    rows: int
    quality: float
    low: float
    high: float


@dataclass(frozen=True)
class Mistake:
    """One confident mistake.

    Attributes:
        line: Where the row stands in its file.
        shown: The inputs in a short form.
        picture: A thumbnail as a data: URI; empty without a picture.
        true: What is right.
        predicted: What the model said.
        score: How sure it was of what is wrong.
    """

    line: int
    shown: str
    picture: str
    true: str
    predicted: str
    score: float


@dataclass(frozen=True)
class Evaluation:
    """What a model is worth on rows that it never saw.

    Attributes:
        task: Name of the task.
        recipe: Name of the recipe that made the model.
        primary_metric: The metric that decides; larger is better.
        labels: What can be answered, in the order of `confusion`.
        rows: Test rows.
        train_rows: Training rows.
        metrics: The primary metric first.
        comparisons: Against the trivial and the cheap baseline.
        verdict: One sentence on what to make of it.
        is_trustworthy: Whether the figures say anything about new data.
        cheap_recipe: The cheap baseline's recipe; empty if there was none.
        findings: What the data checks found, as plain JSON types.
        confusion: Rows of true labels by columns of predicted ones; empty for several labels a row.
        label_rows: One for each label.
        roc: ROC curves, of the positive label or of the most frequent ones.
        precision_recall: Precision-recall curves of the same labels.
        reliability: Whether scores can be believed; None for tasks without scores.
        thresholds: Of a model with two labels.
        history: One mapping an epoch.
        quality: What `Slice.quality` is the mean of, in words.
        overall_quality: The same over all rows.
        slices: The worst, worst first.
        slices_examined: How many were looked at.
        mistakes: The most confident ones.
        views: What the views of this task found, by name; see `evaluation.view`.
    """

    task: str
    recipe: str
    primary_metric: str
    labels: tuple[str, ...]
    rows: int
    train_rows: int
    metrics: tuple[Metric, ...]
    comparisons: tuple[Comparison, ...]
    verdict: str
    is_trustworthy: bool
    cheap_recipe: str = ""
    findings: tuple[dict[str, Any], ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    label_rows: tuple[LabelRow, ...] = ()
    roc: tuple[Curve, ...] = ()
    precision_recall: tuple[Curve, ...] = ()
    reliability: Reliability | None = None
    thresholds: tuple[ThresholdRow, ...] = ()
    history: tuple[dict[str, float], ...] = ()
    quality: str = ""
    overall_quality: float = field(default=0.0)
    slices: tuple[Slice, ...] = ()
    slices_examined: int = 0
    mistakes: tuple[Mistake, ...] = ()
    views: dict[str, Any] = field(default_factory=dict)

    @property
    def primary(self) -> Metric:
        """The metric that decides."""
        return next(metric for metric in self.metrics if metric.name == self.primary_metric)

    def headline(self) -> list[tuple[str, str]]:
        """Return name and text of every metric, for the terminal and the model card."""
        return [(metric.name, metric.text() + self._beside(metric)) for metric in self.metrics]

    def _beside(self, metric: Metric) -> str:
        known = (("trivial", metric.trivial), (self.cheap_recipe, metric.cheap))
        shown = [f"{name} {value:.3f}" for name, value in known if value is not None]
        return f"   ({', '.join(shown)})" if shown else ""

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{escape(n)}</th><td>{escape(t)}</td></tr>" for n, t in self.headline())
        return f"<p>{escape(self.verdict)}</p><table>{rows}</table>"

    def summary(self) -> dict[str, Any]:
        """Return every metric with its interval, as a manifest keeps it."""
        return {m.name: {"value": m.value, "low": m.low, "high": m.high} for m in self.metrics}

    def to_dict(self) -> dict[str, Any]:
        """Return the evaluation as plain JSON types."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Evaluation:
        """Rebuild an evaluation from `to_dict`, so that its report can be made again.

        Raises:
            DataError: It is not what `to_dict` wrote.
        """
        try:
            return msgspec.convert(value, cls)
        except msgspec.ValidationError as error:
            raise DataError(f"This is no evaluation: {error}.") from error
