"""From which score a model says the positive label: chosen on validation by a stated goal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from servery.errors import DataError, UnknownNameError
from servery.metrics.decisions import Counts

LOG_ODDS = np.arange(-7.0, 7.001, 0.1)
"""Candidates where costs decide: scores from 0.001 to 0.999."""
SMOOTHING = 5
"""Candidates whose cost is averaged: one lucky row makes a valley no wider than one step."""
HALF_WEIGHT = 20.0
"""Rows of the rarer kind at which what they say counts as much as what believable scores want; by design, not tuned."""
_SHARES = ("sensitivity", "specificity")
_COSTS, _GAINS = ("missed_cost", "false_alarm_cost"), ("acceptance_gain", "acceptance_loss")
_FORMS = ({"sensitivity"}, {"specificity"}, set(_COSTS), set(_GAINS))


@dataclass(frozen=True)
class Goal:
    """What is wanted of a decision.

    Attributes:
        positive: The label to be found; empty takes the last of two labels.
        stated: One of: `sensitivity`, the least share of positive rows to be found; `specificity`, the least share of
            the others to be left alone; `missed_cost` and `false_alarm_cost`; `acceptance_gain` and `acceptance_loss`,
            where the rows not said to be positive are accepted. Empty for none.

    Raises:
        DataError: Goals that do not go together, or a value that can be none.
    """

    positive: str = ""
    stated: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = [*_SHARES, *_COSTS, *_GAINS]
        for name, value in self.stated.items():
            if name not in known:
                raise UnknownNameError.among("goal", name, known)
            if isinstance(value, bool) or not isinstance(value, (int, float)):
                raise DataError(f"The goal {name} is {value!r}; expected a number.", param="goal")
            if not (0 < value < 1 if name in _SHARES else 0 < value < float("inf")):
                wanted = "a share between 0 and 1" if name in _SHARES else "a number above 0"
                raise DataError(f"The goal {name} is {value}; expected {wanted}.", param="goal")
        if self.stated and set(self.stated) not in _FORMS:
            raise DataError(
                f"The goals {', '.join(self.stated)} do not make one aim.",
                hint="sensitivity; or specificity; or missed_cost and false_alarm_cost; or acceptance_gain and "
                "acceptance_loss",
                param="goal",
            )


@dataclass(frozen=True)
class OperatingPoint:
    """Where a model draws the line.

    Attributes:
        positive: Place of the positive label.
        threshold: Score of it from which it is said, from 0 to 1.
        goal: What was asked for, see `Goal.stated`; empty for nothing.
        positives: Validation rows with the label that it was chosen on.
        negatives: Validation rows without it.
    """

    positive: int
    threshold: float
    goal: Mapping[str, float] = field(default_factory=dict)
    positives: int = 0
    negatives: int = 0

    @property
    def costs(self) -> tuple[float, float] | None:
        """Cost of a missed positive and of a false alarm; None where the goal is a share, or none."""
        if set(self.goal) == set(_COSTS):
            return self.goal["missed_cost"], self.goal["false_alarm_cost"]
        if set(self.goal) == set(_GAINS):
            return self.goal["acceptance_loss"], self.goal["acceptance_gain"]
        return None

    @property
    def earns(self) -> bool:
        """Whether the goal is a profit."""
        return set(self.goal) == set(_GAINS)

    @property
    def words(self) -> str:
        """The goal in words; empty for none.

        >>> OperatingPoint(1, 0.3, {"sensitivity": 0.9}).words
        'a sensitivity of at least 0.9'
        """
        if self.earns:
            gain, loss = (self.goal[name] for name in _GAINS)
            return f"the most profit, a right acceptance earning {gain:g} and a wrong one losing {loss:g}"
        if self.costs is not None:
            return "the least cost, a missed one costing {:g} and a false alarm {:g}".format(*self.costs)
        return "".join(f"a {name} of at least {value:g}" for name, value in self.goal.items())

    @property
    def mistake_weights(self) -> tuple[float, float]:
        """What a missed positive and a false alarm count, the dearer of the two 1: what the threshold says of them.

        To act from a chance t on is right where a missed positive is (1 - t) / t times as bad as a false alarm.

        Source: Elkan (2001), The foundations of cost-sensitive learning, equation 2.
        """
        dearer = max(self.threshold, 1 - self.threshold)
        return (1 - self.threshold) / dearer, self.threshold / dearer


def fit_threshold(is_positive: np.ndarray, scores: np.ndarray, goal: Goal) -> float:
    """Return the score from which the positive label is to be said; 0.5 without a goal.

    For a share, the threshold that promises it of new rows on average: with n held-out rows of that kind it leaves
    (n + 1) x (1 - share) of them on the wrong side, rounded down. For costs, the cheapest threshold, drawn towards
    the one that believable scores want, the more the fewer rows there are.

    Args:
        is_positive: Whether the row carries the label, bool, (rows,).
        scores: Of the label, float64, (rows,).
        goal: What is wanted.

    Raises:
        DataError: There is no row of one kind.

    Source: Vovk et al. (2005), Algorithmic learning in a random world, section 2.2, for the ranks; Elkan (2001), The
    foundations of cost-sensitive learning, equation 2, for believable scores. The shrinkage is ours.

    >>> scores = np.linspace(0, 1, 101)
    >>> round(fit_threshold(scores > 0.5, scores, Goal(stated={"sensitivity": 0.9})), 3)
    0.545
    """
    if not goal.stated:
        return 0.5
    if is_positive.all() or not is_positive.any():
        raise DataError(
            "The validation part has rows of one kind only: no threshold can be chosen on it.", param="goal"
        )
    if "sensitivity" in goal.stated:
        return _least(scores[is_positive], scores, goal.stated["sensitivity"])
    if "specificity" in goal.stated:
        return 1.0 - _least(1.0 - scores[~is_positive], 1.0 - scores, goal.stated["specificity"])
    costs = OperatingPoint(0, 0.5, goal.stated).costs
    assert costs is not None
    return _cheapest(is_positive, scores, *costs)


def expected_costs(scores: np.ndarray, said: np.ndarray, point: OperatingPoint) -> np.ndarray:
    """Return what each answer is expected to cost, (rows,): a missed positive, or any other wrong label.

    Args:
        scores: float64, (rows, labels).
        said: Place of the label that is answered, int, (rows,).
        point: What the two kinds of mistakes weigh.
    """
    missed, false_alarm = point.mistake_weights
    wrong = 1.0 - scores[np.arange(len(said)), said]
    lost = np.where(said == point.positive, 0.0, scores[:, point.positive])
    return np.asarray(missed * lost + false_alarm * (wrong - lost))


def metrics_at(point: OperatingPoint, targets: np.ndarray, scores: np.ndarray) -> dict[str, float]:
    """Return by name what the decisions of some rows are worth; what is not defined on them is NaN.

    Args:
        point: Where the line is drawn.
        targets: Place of each row's label, int, (rows,).
        scores: float64, (rows, labels).
    """
    said = scores[:, point.positive] >= point.threshold
    counts = Counts.of(targets == point.positive, said)
    metrics = counts.shares() | {"selection_rate": float(counts.selection_rate)}
    if point.earns:
        gain, loss = point.goal["acceptance_gain"], point.goal["acceptance_loss"]
        metrics["mean_profit"] = float(counts.mean_profit(gain, loss))
    elif point.costs is not None:
        metrics["mean_cost"] = float(counts.mean_cost(*point.costs))
    return metrics


def _least(wanted: np.ndarray, scores: np.ndarray, share: float) -> float:
    """Return the highest threshold that keeps the share, half-way to the next lower score of any row."""
    left_out = int((len(wanted) + 1) * (1 - share) + 1e-9)
    kept = np.sort(wanted)[max(left_out - 1, 0)]
    below = scores[scores < kept]
    return float((kept + (below.max() if len(below) else 0.0)) / 2)


def _cheapest(is_positive: np.ndarray, scores: np.ndarray, missed: float, false_alarm: float) -> float:
    candidates = 1 / (1 + np.exp(-LOG_ODDS))
    costs = Counts.at(is_positive, scores, candidates).mean_cost(missed, false_alarm)
    padded = np.pad(costs, SMOOTHING // 2, mode="edge")
    smooth = np.convolve(padded, np.full(SMOOTHING, 1 / SMOOTHING), mode="valid")
    cheapest = np.flatnonzero(smooth <= smooth.min() + 1e-9)
    own, believable = LOG_ODDS[cheapest[len(cheapest) // 2]], np.log(false_alarm / missed)
    rarer = min(int(is_positive.sum()), int((~is_positive).sum()))
    weight = rarer / (rarer + HALF_WEIGHT)
    return float(1 / (1 + np.exp(-(weight * own + (1 - weight) * believable))))
