"""A scorecard's points: what each bin of each column is worth, on the scale that its makers chose."""

from __future__ import annotations

import math
from dataclasses import dataclass

from servery.models.encoders.weight_of_evidence import WeightOfEvidence
from servery.models.predictor import Predictor
from servery.models.runtimes.linear import Linear


@dataclass(frozen=True)
class CardRow:
    """One bin of one column.

    Attributes:
        column: Its name.
        condition: Which values are in it, in words.
        rows: Training rows in it.
        bad_share: Of these, the share with the last label.
        weight_of_evidence: ln of the share of good over the share of bad training rows that are in it.
        points: What it adds to a row's points.
    """

    column: str
    condition: str
    rows: int
    bad_share: float
    weight_of_evidence: float
    points: float


@dataclass(frozen=True)
class Scorecard:
    """The card of a model: points are `offset + factor * ln(odds of good)`, a sum over columns.

    Attributes:
        good: The first label, e.g. "no" for no default.
        bad: The last label.
        factor: Points for one unit of log-odds.
        offset: Points of even odds.
        base: Points everybody gets.
        rows: One a bin; a row of a table gets one of each column.
    """

    good: str
    bad: str
    factor: float
    offset: float
    base: float
    rows: tuple[CardRow, ...]

    def points(self, score_of_good: float) -> float:
        """Return the points of a row whose good label has that score.

        >>> card = Scorecard("good", "bad", 20 / math.log(2), 500.0, 500.0, ())
        >>> round(card.points(2 / 3))
        520
        """
        share = min(max(score_of_good, 1e-12), 1 - 1e-12)
        return self.offset + self.factor * math.log(share / (1 - share))


def scorecard_of(predictor: Predictor) -> Scorecard | None:
    """Return the card of a model that is one, None of others.

    Source: Siddiqi (2006), Credit Risk Scorecards, chapter 6 (scorecard scaling): factor = points to double the odds /
    ln 2, offset = base points - factor * ln(base odds).
    """
    encoder, runtime = predictor.encoder, predictor.runtime
    if not isinstance(encoder, WeightOfEvidence) or not isinstance(runtime, Linear):
        return None
    scale, labels = encoder.scale, predictor.signature.labels
    factor = scale.points_to_double_odds / math.log(2)
    offset = scale.base_points - factor * math.log(scale.base_odds)
    # As the answers: logits over the temperature that makes their scores believable.
    weights = factor * (runtime.weight[:, 0] - runtime.weight[:, 1]) / predictor.calibration.temperature
    bias = factor * float(runtime.bias[0] - runtime.bias[1]) / predictor.calibration.temperature
    rows = tuple(
        CardRow(name, b.condition, b.rows, b.bad_share, b.evidence, float(weight) * b.evidence)
        for (name, bins), weight in zip(encoder.bins.items(), weights, strict=True)
        for b in bins.all()
    )
    return Scorecard(labels[0], labels[1], factor, offset, offset + bias, rows)
