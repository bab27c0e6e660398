"""How well relations between two entities were found: F1 of each relation, where the direction must be right too."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from servery.metrics.classification import PerLabel

NONE = frozenset(
    {"other", "none", "no_relation", "no relation", "na", "n/a", "unrelated", "无关系", "无关", "其他"}
)
"""Names, in lower case, of the label that says there is no relation of interest."""
FORWARDS, BACKWARDS = "(e1,e2)", "(e2,e1)"
OUTSIDE = -1


def base_of(label: str) -> str:
    """Return a label without its direction.

    >>> base_of("Cause-Effect(e2,e1)")
    'Cause-Effect'
    """
    return label.removesuffix(FORWARDS).removesuffix(BACKWARDS)


def is_none(label: str) -> bool:
    """Whether a label says that there is no relation.

    >>> is_none("Other"), is_none("works_for(e1,e2)")
    (True, False)
    """
    return label.strip().lower() in NONE


def groups_of(labels: Sequence[str]) -> np.ndarray:
    """Return the relation that each label belongs to, int64, (labels,); -1 for no relation.

    >>> groups_of(["Other", "A(e1,e2)", "A(e2,e1)", "B(e1,e2)"]).tolist()
    [-1, 0, 0, 1]
    """
    names = sorted({base_of(label) for label in labels if not is_none(label)})
    places = {name: place for place, name in enumerate(names)}
    return np.array([OUTSIDE if is_none(label) else places[base_of(label)] for label in labels], np.int64)


def per_relation(matrix: np.ndarray, groups: np.ndarray) -> PerLabel:
    """Return precision, recall, F1 and support of every relation; a wrong direction counts as a miss and a false find.

    Args:
        matrix: Rows of each true label that got each predicted one, (labels, labels).
        groups: As `groups_of` returns.

    Source: Hendrickx et al. (2010), SemEval-2010 task 8, section 4.3 (the official score, direction counted).
    """
    count = int(groups.max(initial=OUTSIDE)) + 1
    belongs = np.arange(count)[:, None] == groups  # (relations, labels)
    return PerLabel.from_counts(
        belongs @ np.diag(matrix), belongs @ matrix.sum(axis=0), belongs @ matrix.sum(axis=1)
    )


def relation_f1(matrix: np.ndarray, groups: np.ndarray) -> float:
    """Return the mean F1 over the relations that occur, no relation left out.

    >>> groups = groups_of(["Other", "A(e1,e2)", "A(e2,e1)"])
    >>> relation_f1(np.array([[5, 0, 0], [0, 3, 1], [0, 0, 4]]), groups)
    0.875
    """
    return per_relation(matrix, groups).macro_f1


def relation_micro_f1(matrix: np.ndarray, groups: np.ndarray) -> float:
    """Return the F1 over all decisions for a relation, no relation left out.

    Source: Zhang et al. (2017), Position-aware attention and supervised data, section 5 (the score of TACRED).
    """
    inside = groups != OUTSIDE
    found, wanted = matrix[:, inside].sum(), matrix[inside].sum()
    return float(2 * np.diag(matrix)[inside].sum() / max(found + wanted, 1))
