"""How far rows have drifted from those a model learned from, column by column, and its scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from servery.metrics.stability import index_by_chance, population_stability_index, stability_word
from servery.models.predictor import Predictor
from servery.models.score_profile import SCORE, scores_to_compare
from servery.models.training_profile import ColumnProfile


@dataclass(frozen=True)
class Drift:
    """One column, or the score.

    Attributes:
        name: Of the column; "score" for the model's own.
        is_score: Whether it is the model's score.
        index: The population stability index.
        by_chance: What it would be on average if nothing had changed: it is the larger the fewer rows there are.
        verdict: "stable", "shifted" or "moved".
        known_share: Of the earlier rows in the bin that changed most.
        share: Of these rows in that bin.
        most_changed: That bin, in words.
    """

    name: str
    is_score: bool
    index: float
    by_chance: float
    verdict: str
    known_share: float
    share: float
    most_changed: str


def drifts(predictor: Predictor, examples: Sequence[Mapping[str, Any]], outputs: np.ndarray) -> list[Drift]:
    """Return the drift of the score, then of the columns, the largest first; empty where no profile was kept."""
    profile = predictor.signature.profile
    if profile is None or not examples:
        return []
    columns = [_drift(c, [example.get(c.name) for example in examples], False) for c in profile.columns]
    columns.sort(key=lambda drift: -drift.index)
    scores = scores_to_compare(predictor, outputs)
    if profile.scores is None or scores is None:
        return columns
    return [_drift(profile.scores, scores, True), *columns]


def _drift(known: ColumnProfile, cells: Sequence[Any] | np.ndarray, is_score: bool) -> Drift:
    counts, shares = known.counts(cells), np.array(known.shares)
    found = counts / len(cells)
    index = population_stability_index(shares, counts)
    by_chance = index_by_chance(int(np.count_nonzero(shares + found)), known.rows, len(cells))
    place = int(np.abs(found - shares).argmax())
    return Drift(
        name=SCORE if is_score else known.name,
        is_score=is_score,
        index=index,
        by_chance=by_chance,
        verdict=stability_word(index, by_chance),
        known_share=float(shares[place]),
        share=float(found[place]),
        most_changed=_bin(known, place),
    )


def _bin(known: ColumnProfile, place: int) -> str:
    if place == len(known.shares) - 1:
        return "missing"
    if place == len(known.shares) - 2:
        return "other values"
    if not known.is_number:
        return str(known.values[place])
    if not known.edges:
        return "any"
    if place == 0:
        return f"up to {known.edges[0]:.4g}"
    if place == len(known.edges):
        return f"over {known.edges[-1]:.4g}"
    return f"over {known.edges[place - 1]:.4g} to {known.edges[place]:.4g}"
