"""Average precision is COCO's: equal to pycocotools on random boxes, and right on a case by hand."""

from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from servery.metrics.detection import Found, coco_metrics, distinct, matches, overlap

Boxes = list[list[np.ndarray]]


def random_case(seed: int, pictures: int, labels: int) -> tuple[Boxes, Boxes, Boxes]:
    """Things, boxes near and far from them, and scores with ties, by label and picture."""
    generator = np.random.default_rng(seed)
    truth: Boxes = [[] for _ in range(labels)]
    boxes: Boxes = [[] for _ in range(labels)]
    scores: Boxes = [[] for _ in range(labels)]
    for label in range(labels):
        for _ in range(pictures):
            low = generator.uniform(0, 80, (generator.integers(0, 6), 2))
            things = np.concatenate([low, low + generator.uniform(5, 30, low.shape)], axis=1)
            near = np.repeat(things, generator.integers(0, 4), axis=0)
            near = near + generator.normal(0, 2.0, near.shape)
            far = generator.uniform(0, 50, (generator.integers(0, 60), 2))
            found = np.concatenate([near, np.concatenate([far, far + 10], axis=1), near])
            found[:, 2:] = np.maximum(found[:, 2:], found[:, :2] + 1)
            truth[label].append(things)
            boxes[label].append(found)
            is_near = np.repeat([True, False, True], [len(near), len(far), len(near)])
            scores[label].append(generator.integers(1 + 15 * is_near, 25 + 15 * is_near) / 40.0)
    return truth, boxes, scores


def sides(box: np.ndarray) -> list[float]:
    return [*box[:2].tolist(), *(box[2:] - box[:2]).tolist()]


def pycocotools_says(truth: Boxes, boxes: Boxes, scores: Boxes) -> np.ndarray:
    labels, pictures = len(truth), len(truth[0])
    things = [
        {
            "image_id": picture,
            "category_id": label,
            "bbox": sides(box),
            "area": float(np.prod(box[2:] - box[:2])),
            "iscrowd": 0,
        }
        for label in range(labels)
        for picture in range(pictures)
        for box in truth[label][picture]
    ]
    found = [
        {"image_id": picture, "category_id": label, "bbox": sides(box), "score": score}
        for label in range(labels)
        for picture in range(pictures)
        for box, score in zip(boxes[label][picture], scores[label][picture].tolist(), strict=True)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        known: Any = COCO()
        known.dataset = {
            "info": {},
            "images": [{"id": picture} for picture in range(pictures)],
            "categories": [{"id": label} for label in range(labels)],
            "annotations": [{"id": number, **thing} for number, thing in enumerate(things, 1)],
        }
        known.createIndex()
        judge = COCOeval(known, known.loadRes(found), "bbox")
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
    return np.asarray(judge.stats)


@pytest.mark.parametrize("seed", range(4))
def test_the_metrics_are_those_of_pycocotools(seed: int) -> None:
    truth, boxes, scores = random_case(seed, 12, 3)
    expected = pycocotools_says(truth, boxes, scores)
    found = [Found.of(*label) for label in zip(truth, boxes, scores, strict=True)]
    ours = coco_metrics(found, np.ones(12))
    names = ("map", "map_50", "map_75", "average_recall")
    assert [ours[name] for name in names] == pytest.approx(expected[[0, 1, 2, 8]].tolist(), abs=1e-9)
    assert 0.05 < ours["map"] < 0.95


def test_a_label_that_no_picture_shows_is_left_out_as_in_pycocotools() -> None:
    truth, boxes, scores = random_case(9, 8, 2)
    truth[1] = [things[:0] for things in truth[1]]
    found = [Found.of(*label) for label in zip(truth, boxes, scores, strict=True)]
    expected = pycocotools_says(truth, boxes, scores)
    assert coco_metrics(found, np.ones(8))["map"] == pytest.approx(expected[0], abs=1e-9)


def test_a_picture_that_counts_twice_counts_as_two() -> None:
    truth, boxes, scores = random_case(3, 6, 1)
    rows = np.array([0, 1, 1, 4, 5, 5, 5])
    # Scores without ties, so that the copies of a picture stand side by side.
    scores = [[s + np.linspace(0, 1e-3, len(s)) + 1e-5 * i for i, s in enumerate(label)] for label in scores]
    whole = Found.of(truth[0], boxes[0], scores[0])
    drawn = Found.of(*([part[row] for row in rows] for part in (truth[0], boxes[0], scores[0])))
    weighed = coco_metrics([whole], np.bincount(rows, minlength=6))
    for name, value in coco_metrics([drawn], np.ones(len(rows))).items():
        assert weighed[name] == pytest.approx(value, abs=0.02)


def test_average_precision_by_hand() -> None:
    # Two things; the best box finds one, the second finds nothing, the third finds the other: precision 1 up to
    # a recall of one half (51 levels), then 2/3 (50 levels).
    things = np.array([[0.0, 0.0, 10.0, 10.0], [20.0, 20.0, 30.0, 30.0]])
    boxes = np.array([[0.0, 0.0, 10.0, 10.0], [50.0, 50.0, 60.0, 60.0], [20.0, 20.0, 30.0, 30.0]])
    found = Found.of([things], [boxes], [np.array([0.9, 0.8, 0.7])])
    expected = (51 * 1.0 + 50 * 2 / 3) / 101
    assert found.average_precision(np.ones(1)) == pytest.approx([expected] * 10)
    assert found.recall(np.ones(1)).tolist() == [1.0] * 10


def test_a_thing_is_found_once() -> None:
    assert matches(np.array([[0.9], [0.8]]))[0].tolist() == [0, -1]
    assert matches(np.array([[0.9, 0.8], [0.8, 0.7]]))[0].tolist() == [0, 1]
    assert matches(np.array([[0.62], [0.9]]))[:, 0].tolist() == [0] * 3 + [-1] * 7  # at 0.50, 0.55 and 0.60
    assert matches(np.zeros((2, 0))).shape == (10, 2)


def test_without_boxes_or_things_the_metrics_are_zero() -> None:
    none = np.zeros((0, 4))
    found = Found.of([none], [none], [np.zeros(0)])
    assert set(coco_metrics([found], np.ones(1)).values()) == {0.0}
    missed = Found.of([np.array([[0.0, 0.0, 1.0, 1.0]])], [none], [np.zeros(0)])
    assert set(coco_metrics([missed], np.ones(1)).values()) == {0.0}


def test_of_boxes_that_overlap_the_best_stays() -> None:
    boxes = np.array([[0.0, 0.0, 10.0, 10.0], [1.0, 0.0, 11.0, 10.0], [40.0, 0.0, 50.0, 10.0]])
    assert distinct(boxes, np.array([0.5, 0.9, 0.1]), 0.6, 100).tolist() == [1, 2]
    assert distinct(boxes, np.array([0.5, 0.9, 0.1]), 0.9, 2).tolist() == [1, 0]
    assert distinct(boxes[:0], np.zeros(0), 0.6, 100).tolist() == []
    assert overlap(boxes, boxes).diagonal().tolist() == [1.0, 1.0, 1.0]
