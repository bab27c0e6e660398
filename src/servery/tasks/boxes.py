"""From the many places where something may be to the boxes that are answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from servery.metrics.detection import MOST_BOXES, Found, distinct

DEFAULT_SCORE = 0.3
"""Score from which a box is answered, where nothing was fitted."""
LEAST_SCORE = 0.01
"""Boxes below are nothing; those above count for the average precision, however unsure they are."""
MOST_OVERLAP = 0.6
"""Of two boxes of one label that overlap more, one is the other's echo."""
MOST_PLACES = 400
"""Places of one label that are looked at, the best first."""


@dataclass(frozen=True)
class Boxes:
    """The boxes of one picture, the best score first.

    Attributes:
        labels: Number of each box's label, int64, (boxes,).
        scores: float64, (boxes,).
        edges: xmin, ymin, xmax, ymax as shares of the picture, float64, (boxes, 4).
    """

    labels: np.ndarray
    scores: np.ndarray
    edges: np.ndarray


def boxes_of(row: np.ndarray, least: np.ndarray | None = None) -> Boxes:
    """Return the boxes of one picture, without echoes.

    Args:
        row: One row of a detection's outputs, (1 + places, 4 + labels).
        least: Score from which a box of each label counts, (labels,); None keeps all that are worth measuring.
    """
    edges, logits = row[1:, :4].astype(np.float64).clip(0.0, 1.0), row[1:, 4:].astype(np.float64)
    scores = 0.5 * (1.0 + np.tanh(0.5 * logits))  # the sigmoid, written so that it cannot overflow
    least = np.full(logits.shape[1], LEAST_SCORE) if least is None else np.maximum(least, LEAST_SCORE)
    has_area = (edges[:, 2:] > edges[:, :2]).all(axis=1)
    parts = [
        _of_label(label, edges, scores[:, label], has_area & (scores[:, label] >= least[label]))
        for label in range(logits.shape[1])
    ]
    labels, found, boxes = (np.concatenate([part[i] for part in parts]) for i in range(3))
    order = np.argsort(-found, kind="stable")
    return Boxes(labels[order], found[order], boxes[order])


def _of_label(
    label: int, edges: np.ndarray, scores: np.ndarray, is_open: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    places = np.flatnonzero(is_open)
    places = places[np.argsort(-scores[places], kind="stable")[:MOST_PLACES]]
    kept = places[distinct(edges[places], scores[places], MOST_OVERLAP, MOST_BOXES)]
    return np.full(len(kept), label, np.int64), scores[kept], edges[kept]


def best_scores(found: Found) -> float:
    """Return the score from which the boxes of a label have the best F1, between that box and the next."""
    if not len(found.scores):
        return DEFAULT_SCORE
    right = np.cumsum(found.hits[0])
    f1 = 2 * right / (np.arange(1, len(right) + 1) + found.wanted.sum())
    last = int(f1.argmax())
    below = found.scores[last + 1] if last + 1 < len(right) else LEAST_SCORE
    return float((found.scores[last] + below) / 2)


def right_boxes(found: Sequence[Found], thresholds: np.ndarray, weights: np.ndarray) -> float:
    """Return the F1 of all boxes that score at least their label's threshold.

    Args:
        found: Of each label.
        thresholds: (labels,).
        weights: How often each picture counts, (rows,).
    """
    right = said = wanted = 0.0
    for label, least in zip(found, thresholds, strict=True):
        taken = weights[label.rows] * (label.scores >= least)
        right, said = right + float(taken @ label.hits[0]), said + float(taken.sum())
        wanted += float(weights @ label.wanted)
    return 2 * right / (said + wanted) if said + wanted else 1.0
