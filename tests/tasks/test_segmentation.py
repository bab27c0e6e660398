"""Segmentation: from the map of a picture to masks, and what a caller may ask of them."""

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from servery.tasks.segmentation import SEGMENTATION, SegmentationAnswer, SegmentationParameters
from servery.tasks.task import Calibration, Scored

LABELS = ("sky", "sea", "sand")


def outputs(width: int = 8, height: int = 4) -> np.ndarray:
    """A map of 8 x 4: sky above, sea below, the last column unsure of it."""
    labels = np.repeat([[0.0], [0.0], [0.0], [1.0]], 8, axis=1)
    chances = np.full((4, 8), 0.9)
    chances[:, -1] = 0.4
    size = np.zeros((4, 8))
    size[0, :2] = width, height
    rows = np.empty(1, object)
    rows[0] = np.stack([labels, chances, size]).astype(np.float32)
    return rows


def answered(rows: np.ndarray, **asked: Any) -> SegmentationAnswer:
    [answer] = SEGMENTATION.decode(rows, LABELS, Calibration(), SegmentationParameters(**asked))
    assert isinstance(answer, SegmentationAnswer)
    return answer


def mask(answer: SegmentationAnswer, place: int) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(answer.segments[place].mask))))


def test_the_largest_part_comes_first_with_its_share_and_mean_chance() -> None:
    answer = answered(outputs())
    assert [part.label for part in answer.segments] == ["sky", "sea"]
    assert [part.share for part in answer.segments] == [0.75, 0.25]
    assert answer.segments[0].score == pytest.approx((7 * 0.9 + 0.4) / 8)
    assert (mask(answer, 1) == np.repeat([[0], [0], [0], [255]], 8, axis=1)).all()


def test_masks_are_as_large_as_the_picture() -> None:
    answer = answered(outputs(80, 40))
    assert (answer.width, answer.height) == (80, 40)
    assert mask(answer, 0).shape == (40, 80)
    assert mask(answer, 0).mean() == pytest.approx(255 * 0.75)


def test_unsure_pixels_and_parts_are_left_out_on_request() -> None:
    sure = answered(outputs(), mask_threshold=0.5)
    assert mask(sure, 0)[:, -1].max() == 0
    assert sure.segments[0].score == pytest.approx(0.9)
    assert answered(outputs(), threshold=0.95).segments == ()


def test_a_label_s_score_is_how_much_of_it_there_is() -> None:
    assert isinstance(SEGMENTATION, Scored)
    answer = answered(outputs())
    assert SEGMENTATION.best_label(answer) == "sky"
    assert SEGMENTATION.score_of(answer, "sand") == 0.0
    assert SEGMENTATION.score_of(answer, "sky") > SEGMENTATION.score_of(answer, "sea") > 0.0
    nothing = answered(outputs(), threshold=1.0)
    assert SEGMENTATION.best_label(nothing) == ""
