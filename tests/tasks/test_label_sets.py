"""Sets of labels that hold the true one as often as they promise."""

from __future__ import annotations

import numpy as np
import pytest

from servery.tasks.classification import CLASSIFICATION, ClassificationAnswer, ClassificationParameters
from servery.tasks.task import Calibration

LABELS = ("cat", "dog", "owl", "pig")


def drawn(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and logits that are right more often than not and far too sure of themselves."""
    chance = np.random.default_rng(seed)
    targets = chance.integers(0, len(LABELS), rows)
    logits = chance.normal(0, 1.5, (rows, len(LABELS)))
    logits[np.arange(rows), targets] += 1.5
    return targets, (6 * logits).astype(np.float32)


@pytest.mark.parametrize("coverage", [0.7, 0.9, 0.95])
def test_a_set_holds_the_true_label_as_often_as_it_promises(coverage: float) -> None:
    calibration = CLASSIFICATION.calibrate(*drawn(4000, 1))
    targets, outputs = drawn(4000, 2)
    asked = ClassificationParameters(coverage=coverage)
    answers = CLASSIFICATION.decode(outputs, LABELS, calibration, asked)
    held = [
        LABELS[target] in answer.likely
        for target, answer in zip(targets, answers, strict=True)
        if isinstance(answer, ClassificationAnswer)
    ]
    assert len(held) == 4000
    assert np.mean(held) == pytest.approx(coverage, abs=0.02)
    metrics = CLASSIFICATION.measure(targets, outputs, calibration)
    assert metrics["set_coverage_90"] == pytest.approx(0.9, abs=0.02)
    assert 1 <= metrics["set_size_90"] < len(LABELS)


def test_a_set_begins_with_the_answer_and_is_empty_where_nobody_asked() -> None:
    calibration = CLASSIFICATION.calibrate(*drawn(500, 1))
    _, outputs = drawn(50, 3)
    asked = CLASSIFICATION.decode(
        outputs, LABELS, calibration, ClassificationParameters(coverage=0.95, top_k=1)
    )
    for answer in asked:
        assert isinstance(answer, ClassificationAnswer)
        assert answer.likely[0] == answer.label
        assert len(answer.labels) == 1
    (plain,) = CLASSIFICATION.decode(outputs[:1], LABELS, calibration, ClassificationParameters())
    assert isinstance(plain, ClassificationAnswer)
    assert plain.likely == ()


def test_a_model_held_against_nothing_promises_no_set() -> None:
    outputs = np.zeros((1, 4), np.float32)
    (answer,) = CLASSIFICATION.decode(outputs, LABELS, Calibration(), ClassificationParameters(coverage=0.9))
    assert isinstance(answer, ClassificationAnswer)
    assert answer.likely == ()
