"""Spans counted as conlleval and seqeval count them, in the corner cases."""

import numpy as np
import pytest

from servery.metrics.entities import are_right, count_spans


def spans(*found: tuple[int, int, int]) -> np.ndarray:
    return np.array(found, np.int64).reshape(-1, 3)


@pytest.mark.parametrize(
    ("truth", "guess", "expected"),
    [
        (spans((0, 3, 0)), spans((0, 3, 0)), (1.0, 1.0, 1.0)),
        (spans((0, 3, 0)), spans((0, 3, 1)), (0.0, 0.0, 0.0)),  # the right place with another label
        (spans((0, 9, 0)), spans((0, 3, 0), (4, 9, 0)), (0.0, 0.0, 0.0)),  # cut in two
        (spans((0, 3, 0), (4, 9, 0)), spans((0, 9, 0)), (0.0, 0.0, 0.0)),  # joined
        (spans((0, 3, 0), (4, 9, 1)), spans((4, 9, 1)), (1.0, 0.5, 2 / 3)),
        (spans((0, 3, 0)), spans((0, 3, 0), (0, 3, 0)), (0.5, 1.0, 2 / 3)),  # said twice, found once
        (spans(), spans((0, 3, 0)), (0.0, 0.0, 0.0)),
        (spans((0, 3, 0)), spans(), (0.0, 0.0, 0.0)),
        (spans(), spans(), (0.0, 0.0, 0.0)),
    ],
)
def test_only_the_exact_place_with_the_right_label_counts(truth, guess, expected):
    assert count_spans([truth], [guess], 2).overall() == pytest.approx(expected)


def test_all_spans_count_the_same_overall_and_labels_one_by_one():
    truth = [spans((0, 1, 0), (2, 3, 0)), spans((0, 1, 1))]
    guess = [spans((0, 1, 0), (5, 6, 1)), spans((0, 1, 1), (2, 3, 1))]
    counts = count_spans(truth, guess, 3)
    assert counts.overall() == pytest.approx((2 / 4, 2 / 3, 4 / 7))
    of_labels = counts.of_labels()
    assert of_labels.precision.tolist() == pytest.approx([1.0, 1 / 3, 0.0])
    assert of_labels.recall.tolist() == pytest.approx([0.5, 1.0, 0.0])
    assert of_labels.support.tolist() == [2, 1, 0]
    assert of_labels.occurs.tolist() == [True, True, False]
    assert of_labels.macro_f1 == pytest.approx((2 / 3 + 1 / 2) / 2)


def test_rows_are_counted_as_often_as_they_are_named():
    counts = count_spans([spans((0, 1, 0)), spans((0, 1, 0))], [spans((0, 1, 0)), spans((4, 5, 0))], 1)
    assert counts.overall(np.array([0, 0, 1])) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert counts.overall(np.array([1, 1])) == (0.0, 0.0, 0.0)


def test_the_right_ones_are_told_one_by_one():
    truth, guess = spans((0, 3, 0), (4, 9, 1)), spans((4, 9, 1), (0, 3, 1))
    assert are_right(truth, guess).tolist() == [True, False]
    assert are_right(truth, spans()).tolist() == []
