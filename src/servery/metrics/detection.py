"""Metrics of boxes around things: overlap, which box found which thing, average precision as COCO defines it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

OVERLAPS = np.linspace(0.5, 0.95, 10)
"""Least overlaps from which a box has found a thing; COCO's mean runs over them."""
RECALLS = np.linspace(0.0, 1.0, 101)
MOST_BOXES = 100
"""Boxes of one label that count in one picture, the best first."""


def overlap(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return intersection over union of every pair of boxes, float64, (first, second).

    Args:
        first: xmin, ymin, xmax, ymax, (first, 4).
        second: In the same unit, (second, 4).

    >>> overlap(np.array([[0.0, 0.0, 2.0, 2.0]]), np.array([[1.0, 0.0, 3.0, 2.0], [5.0, 5.0, 6.0, 6.0]])).tolist()
    [[0.3333333333333333, 0.0]]
    """
    one, two = first.T[:, :, None], second.T[:, None, :]  # (4, first, 1), (4, 1, second)
    across = np.minimum(one[2], two[2]) - np.maximum(one[0], two[0])
    down = np.minimum(one[3], two[3]) - np.maximum(one[1], two[1])
    both = across.clip(0.0) * down.clip(0.0)
    either = _areas(one) + _areas(two) - both
    return np.asarray(both / np.maximum(either, 1e-300))


def _areas(boxes: np.ndarray) -> np.ndarray:
    return np.asarray((boxes[2] - boxes[0]) * (boxes[3] - boxes[1]))


def distinct(boxes: np.ndarray, scores: np.ndarray, most_overlap: float, most: int) -> np.ndarray:
    """Return which boxes stay, the best first, when each removes those that overlap it too much, int64, (kept,).

    Args:
        boxes: (boxes, 4).
        scores: (boxes,).
        most_overlap: Of two boxes that overlap more, the one with the lower score goes.
        most: How many stay at most.

    Source: greedy non-maximum suppression, Felzenszwalb et al. (2010), Object detection with discriminatively
    trained part-based models, section 7.2.
    """
    order = np.argsort(-scores, kind="stable")
    too_close = overlap(boxes[order], boxes[order]) > most_overlap
    is_gone = np.zeros(len(order), dtype=bool)
    kept: list[int] = []
    for place in range(len(order)):
        if not is_gone[place]:
            kept.append(place)
            is_gone |= too_close[place]
            if len(kept) == most:
                break
    return order[kept]


@dataclass(frozen=True)
class Found:
    """What came of the boxes of one label over all pictures, the best score first.

    Attributes:
        rows: Picture of each box, int64, (boxes,).
        scores: float64, (boxes,).
        hits: Whether the box found a thing that no better one had, at each of `OVERLAPS`, bool, (10, boxes).
        wanted: Things of that label in each picture, int64, (rows,).
    """

    rows: np.ndarray
    scores: np.ndarray
    hits: np.ndarray
    wanted: np.ndarray

    @classmethod
    def of(
        cls, truth: Sequence[np.ndarray], boxes: Sequence[np.ndarray], scores: Sequence[np.ndarray]
    ) -> Found:
        """Match the boxes of one label with the things, picture by picture.

        Args:
            truth: The things' boxes, (things, 4) a picture.
            boxes: The boxes found, (boxes, 4) a picture.
            scores: Their scores, (boxes,) a picture.
        """
        rows, kept_scores, hits = [], [], []
        for row, (things, found, sureness) in enumerate(zip(truth, boxes, scores, strict=True)):
            order = np.argsort(-sureness, kind="stable")[:MOST_BOXES]
            rows.append(np.full(len(order), row))
            kept_scores.append(sureness[order])
            hits.append(matches(overlap(found[order], things)) >= 0)
        every = np.concatenate(kept_scores)
        order = np.argsort(-every, kind="stable")
        wanted = np.array([len(things) for things in truth], dtype=np.int64)
        joined = np.concatenate(hits, axis=1)
        return cls(np.concatenate(rows)[order], every[order], joined[:, order], wanted)

    def precision_recall(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return precision and recall from the best box down, each float64, (10, boxes).

        Args:
            weights: How often each picture counts, (rows,).
        """
        taken = weights[self.rows].astype(np.float64)  # (boxes,)
        right = np.cumsum(self.hits * taken, axis=1)
        said = np.cumsum(taken)
        return right / np.maximum(said, 1e-300), right / max(float(weights @ self.wanted), 1e-300)

    def average_precision(self, weights: np.ndarray) -> np.ndarray:
        """Return the mean precision at 101 levels of recall, at each of `OVERLAPS`, float64, (10,).

        A level's precision is the best at it or beyond it; a level that is not reached counts 0.

        Source: Lin et al. (2014), Microsoft COCO, and its evaluation code.
        """
        precision, recall = self.precision_recall(weights)
        best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        padded = np.pad(best, ((0, 0), (0, 1)))
        places = [np.searchsorted(reached, RECALLS, side="left") for reached in recall]
        return np.array([padded[i, place].mean() for i, place in enumerate(places)])

    def recall(self, weights: np.ndarray) -> np.ndarray:
        """Return the share of things found by all boxes together, at each of `OVERLAPS`, float64, (10,)."""
        right = self.hits @ weights[self.rows].astype(np.float64)
        return np.asarray(right / max(float(weights @ self.wanted), 1e-300))


def matches(overlaps: np.ndarray) -> np.ndarray:
    """Return which thing each box finds, at each of `OVERLAPS`, -1 for none, int64, (10, boxes).

    Each box, the best first, takes the thing it overlaps most among those not taken yet.

    Args:
        overlaps: Of boxes, the best first, with things, (boxes, things).
    """
    boxes, things = overlaps.shape
    taken = np.full((len(OVERLAPS), boxes), -1, dtype=np.int64)
    if not things:
        return taken
    is_free = np.ones((len(OVERLAPS), things), dtype=bool)
    every = np.arange(len(OVERLAPS))
    for place in np.flatnonzero(overlaps.max(axis=1) >= OVERLAPS[0]).tolist():
        open_to_it = np.where(is_free, overlaps[place], -1.0)  # (10, things)
        # Of equal overlaps the last thing is taken, as COCO's evaluation does.
        best = things - 1 - open_to_it[:, ::-1].argmax(axis=1)
        is_hit = open_to_it[every, best] >= OVERLAPS
        taken[is_hit, place] = best[is_hit]
        is_free[every[is_hit], best[is_hit]] = False
    return taken


def coco_metrics(found: Sequence[Found], weights: np.ndarray) -> dict[str, float]:
    """Return COCO's figures: means over the labels of which these pictures show at least one thing.

    Args:
        found: Of each label.
        weights: How often each picture counts, (rows,).
    """
    shown = [label for label in found if weights @ label.wanted > 0]
    if not shown:
        return {"map_50": 0.0, "map": 0.0, "map_75": 0.0, "average_recall": 0.0}
    precisions = np.mean([label.average_precision(weights) for label in shown], axis=0)  # (10,)
    recalls = np.mean([label.recall(weights) for label in shown], axis=0)
    return {
        "map_50": float(precisions[0]),
        "map": float(precisions.mean()),
        "map_75": float(precisions[5]),
        "average_recall": float(recalls.mean()),
    }
