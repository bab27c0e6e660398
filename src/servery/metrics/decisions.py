"""What a yes-or-no decision from one score on is worth: shares found, net benefit, and what mistakes cost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Counts:
    """Rows by truth and answer, each int64, (thresholds,) or a number; one is a decision from one threshold on."""

    true_positives: np.ndarray
    false_positives: np.ndarray
    false_negatives: np.ndarray
    true_negatives: np.ndarray

    @classmethod
    def at(cls, is_positive: np.ndarray, scores: np.ndarray, thresholds: np.ndarray) -> Counts:
        """Count the decisions "positive from the threshold on".

        Args:
            is_positive: Whether the row is positive, bool, (rows,).
            scores: How likely that was thought, float, (rows,).
            thresholds: float, (thresholds,).

        >>> found = Counts.at(np.array([True, False, True]), np.array([0.9, 0.6, 0.2]), np.array([0.5]))
        >>> found.sensitivity.tolist(), found.specificity.tolist()
        ([0.5], [0.0])
        """
        positive, negative = np.sort(scores[is_positive]), np.sort(scores[~is_positive])
        missed = np.searchsorted(positive, thresholds, side="left")
        cleared = np.searchsorted(negative, thresholds, side="left")
        return cls(len(positive) - missed, len(negative) - cleared, missed, cleared)

    @classmethod
    def of(cls, is_positive: np.ndarray, said_positive: np.ndarray) -> Counts:
        """Count answers, each bool, (rows,)."""
        hits = np.asarray((is_positive & said_positive).sum())
        positives, said = is_positive.sum(), said_positive.sum()
        return cls(hits, said - hits, positives - hits, len(is_positive) - said - positives + hits)

    @property
    def rows(self) -> np.ndarray:
        """All of them."""
        said, not_said = (
            self.true_positives + self.false_positives,
            self.false_negatives + self.true_negatives,
        )
        return np.asarray(said + not_said)

    @property
    def sensitivity(self) -> np.ndarray:
        """Share of the positive rows that are found; NaN without any."""
        return _share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def specificity(self) -> np.ndarray:
        """Share of the negative rows that are left alone; NaN without any."""
        return _share(self.true_negatives, self.true_negatives + self.false_positives)

    @property
    def positive_predictive_value(self) -> np.ndarray:
        """Share of the rows said to be positive that are; NaN where none is."""
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def negative_predictive_value(self) -> np.ndarray:
        """Share of the rows said to be negative that are; NaN where none is."""
        return _share(self.true_negatives, self.true_negatives + self.false_negatives)

    @property
    def selection_rate(self) -> np.ndarray:
        """Share of the rows said to be positive."""
        return _share(self.true_positives + self.false_positives, self.rows)

    def shares(self) -> dict[str, float]:
        """Return the four shares of a single decision by name; one that is not defined is NaN."""
        names = ("sensitivity", "specificity", "positive_predictive_value", "negative_predictive_value")
        return {name: float(getattr(self, name)) for name in names}

    def mean_cost(self, missed: float, false_alarm: float) -> np.ndarray:
        """Return what a row costs on average.

        Args:
            missed: Cost of a positive row that is not found.
            false_alarm: Cost of a negative row that is said to be positive.

        Source: Elkan (2001), The foundations of cost-sensitive learning, section 1.
        """
        return np.asarray((missed * self.false_negatives + false_alarm * self.false_positives) / self.rows)

    def mean_profit(self, gain: float, loss: float) -> np.ndarray:
        """Return what a row earns on average where those said to be negative are accepted.

        Args:
            gain: Of an accepted row that is negative.
            loss: Of an accepted row that is positive.

        Source: Thomas (2009), Consumer Credit Models, section 2.2.
        """
        return np.asarray((gain * self.true_negatives - loss * self.false_negatives) / self.rows)

    def net_benefit(self, thresholds: np.ndarray) -> np.ndarray:
        """Return the share found minus that of false alarms, weighed by the odds of the thresholds, (thresholds,).

        Acting from a chance t on says that a missed positive is (1 - t) / t times as bad as a false alarm.

        Source: Vickers and Elkin (2006), Decision curve analysis, equation 1.

        >>> all_treated = Counts.at(np.array([True, False]), np.array([1.0, 1.0]), np.array([0.5]))
        >>> all_treated.net_benefit(np.array([0.5])).tolist()
        [0.0]
        """
        weighed = self.true_positives - self.false_positives * thresholds / (1 - thresholds)
        return np.asarray(weighed / self.rows)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.where(np.asarray(whole) > 0, part / np.maximum(whole, 1), np.nan)
