"""The official score of SemEval-2010 task 8, against a case worked by hand."""

import numpy as np
import pytest

from servery.metrics.relations import groups_of, is_none, per_relation, relation_f1, relation_micro_f1

LABELS = ("A(e1,e2)", "A(e2,e1)", "B(e1,e2)", "Other")
# Rows are what is true, columns what was said.
MATRIX = np.array(
    [
        [6, 1, 1, 0],
        [2, 4, 0, 1],
        [0, 0, 5, 2],
        [1, 0, 1, 8],
    ]
)


def test_directions_of_one_relation_are_counted_together_but_must_be_right() -> None:
    found = per_relation(MATRIX, groups_of(LABELS))
    # A: 10 right; said 6+1+2+4+1 = 14; true 8+7 = 15. B: 5 right; said 7; true 7.
    assert found.precision.tolist() == pytest.approx([10 / 14, 5 / 7])
    assert found.recall.tolist() == pytest.approx([10 / 15, 5 / 7])
    assert relation_f1(MATRIX, groups_of(LABELS)) == pytest.approx((20 / 29 + 10 / 14) / 2)


def test_the_micro_score_leaves_no_relation_out() -> None:
    # 15 right; said 21 times that there is one; truly 22 times.
    assert relation_micro_f1(MATRIX, groups_of(LABELS)) == pytest.approx(30 / 43)


def test_labels_without_a_direction_are_relations_of_their_own() -> None:
    assert groups_of(["b", "no_relation", "a"]).tolist() == [1, -1, 0]


@pytest.mark.parametrize("name", ["Other", "no_relation", "NA", "无关系"])
def test_no_relation_is_known_by_its_usual_names(name: str) -> None:
    assert is_none(name)
