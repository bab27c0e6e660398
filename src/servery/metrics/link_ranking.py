"""How well the right entity was ranked among all: mean reciprocal rank and hits."""

from __future__ import annotations

import numpy as np

CUTS = (1, 3, 10)


def ranks_of(above: np.ndarray, tied: np.ndarray) -> np.ndarray:
    """Return the rank of each right answer, from 1, float64, of the arrays' shape.

    An answer that ties with others gets the middle of the places they share, so that a model that gives all the
    same score gains nothing by it.

    Args:
        above: How many others score higher.
        tied: How many others score the same.

    Source: Sun et al. (2020), A re-evaluation of knowledge graph completion methods, section 4.

    >>> ranks_of(np.array([0, 2]), np.array([0, 2])).tolist()
    [1.0, 4.0]
    """
    return np.asarray(1.0 + np.maximum(above, 0) + np.maximum(tied, 0) / 2.0)


def ranking_metrics(ranks: np.ndarray) -> dict[str, float]:
    """Return mean reciprocal rank, hits at 1, 3 and 10 and the mean rank; zeros where there is no rank.

    Args:
        ranks: From 1, float64, (ranks,).

    Source: Bordes et al. (2013), Translating embeddings for modeling multi-relational data, section 4.2.

    >>> ranking_metrics(np.array([1.0, 4.0]))["mrr"]
    0.625
    """
    if not len(ranks):
        return {"mrr": 0.0, **{f"hits_at_{cut}": 0.0 for cut in CUTS}, "mean_rank": 0.0}
    return {
        "mrr": float((1.0 / ranks).mean()),
        **{f"hits_at_{cut}": float((ranks <= cut).mean()) for cut in CUTS},
        "mean_rank": float(ranks.mean()),
    }


def best_threshold(scores: np.ndarray, is_true: np.ndarray, prior: float, weight: float) -> float:
    """Return the score from which on a triple is best called true.

    Args:
        scores: Of the triples of one relation, float64, (triples,).
        is_true: Whether they are facts, bool, (triples,).
        prior: A threshold found on many triples.
        weight: How many triples the prior counts as; few triples of a relation then move it little.

    >>> best_threshold(np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, False, True, True]), 0.0, 0.0)
    2.5
    """
    if not len(scores):
        return prior
    order = np.argsort(scores, kind="stable")
    ordered, truth = scores[order], is_true[order]
    # A cut before place i calls the triples from i on true: right are the true ones there and the false before.
    right = np.concatenate([[0], np.cumsum(~truth)]) + truth.sum() - np.concatenate([[0], np.cumsum(truth)])
    cuts = np.concatenate([[ordered[0] - 1.0], (ordered[1:] + ordered[:-1]) / 2.0, [ordered[-1] + 1.0]])
    spread = max(float(ordered.std()), 1e-9)
    penalty = weight * np.minimum(np.abs(cuts - prior) / spread, 1.0) / 4.0
    best = float((right - penalty).max())
    tied = cuts[right - penalty >= best - 1e-9]
    return float(tied[np.abs(tied - prior).argmin()])
