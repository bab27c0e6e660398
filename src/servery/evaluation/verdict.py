"""One sentence on what to make of an evaluation, by rules that anyone can check."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from servery.data.columns import ONE_OF_MANY
from servery.data.dataset import Dataset
from servery.data.finding import Finding
from servery.evaluation.evaluation import Comparison, Metric
from servery.evaluation.metric_names import title_of
from servery.metrics.resampling import wilson

LEAST_ROWS = 30
"""Under this many test rows an interval is wider than most differences that matter."""
MOST_SEEN_SHARE = 0.05
"""Share of test rows, above what the data repeats by nature, that may equal a training row."""


@dataclass(frozen=True)
class Verdict:
    """The sentence, and whether the figures say anything about new data."""

    sentence: str
    is_trustworthy: bool


def judge(
    primary: Metric,
    comparisons: Sequence[Comparison],
    rows: int,
    leaks: Sequence[str],
    is_sample: bool = False,
) -> Verdict:
    """Judge a model.

    Args:
        primary: The metric that decides, with its interval.
        comparisons: Against the trivial baseline, then the cheap one if there is one.
        rows: Test rows.
        leaks: Why a leak is suspected, a sentence each; empty if none is.
        is_sample: Whether the data is generated.
    """
    sample = " The data is a generated sample: this shows that the parts work, no more." if is_sample else ""
    score = f"{title_of(primary.name)} {primary.text()} on {rows:,} test rows"
    if leaks:
        return Verdict(
            f"Not trustworthy: {_clause(leaks[0])}, so {score} says nothing about new data.{sample}", False
        )
    if rows < LEAST_ROWS:
        return Verdict(f"Too few test rows to tell: {score}; {LEAST_ROWS} are the least.{sample}", False)
    return Verdict(f"{_compared(comparisons)}: {score}{_differences(comparisons)}.{sample}", True)


def _compared(comparisons: Sequence[Comparison]) -> str:
    trivial, *cheap = comparisons
    if trivial.low <= 0:
        return "Not useful: no better than a model that ignores its input"
    if not cheap:
        return "Better than a model that ignores its input"
    name = cheap[0].baseline
    if cheap[0].high < 0:
        return f"Useful, but worse than the cheap {name}"
    if cheap[0].low <= 0:
        return f"Useful, but not measurably better than the cheap {name}"
    return f"Better than the cheap {name} and than a model that ignores its input"


def _differences(comparisons: Sequence[Comparison]) -> str:
    last = comparisons[-1]
    over = "the trivial baseline" if len(comparisons) == 1 else last.baseline
    return f", {last.difference:+.3f} [{last.low:+.3f} to {last.high:+.3f}] against {over}"


def _clause(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")


def suspected_leaks(findings: Sequence[Finding], test: Dataset, train: Dataset) -> list[str]:
    """Return why the figures may be too good to be true, a sentence each.

    Test rows that equal a training row are a leak where they are more than the data's own repeats explain: of
    new rows, a share of one minus (training rows that occur once / training rows) would have been seen before.

    Source: Good (1953), The population frequencies of species and the estimation of population parameters.
    """
    reasons = [finding.message for finding in findings if finding.is_leak]
    counts = Counter(_keys(train))
    by_nature = 1 - sum(count == 1 for count in counts.values()) / len(train)
    seen = float(np.mean([key in counts for key in _keys(test)]))
    if wilson(seen, len(test)).low > by_nature + MOST_SEEN_SHARE:
        reasons.append(f"{seen:.0%} of the test rows have the same inputs as a training row.")
    return reasons


def _keys(dataset: Dataset) -> list[tuple[object, ...]]:
    """Return what makes each row a copy of another, in a form that can be compared; missing numbers are equal."""
    looked_at = [*dataset.inputs, *([dataset.target] if dataset.target.kind in ONE_OF_MANY else [])]
    columns = [dataset[c.name] for c in looked_at]
    plain = [c if c.dtype == object else np.ascontiguousarray(c).view(np.int64) for c in columns]
    return list(zip(*(column.tolist() for column in plain), strict=True))
