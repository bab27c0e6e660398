"""When a model had better not answer: fitted by what a mistake and a missing answer cost."""

import numpy as np
import pytest

from servery.tasks.classification import CLASSIFICATION, ClassificationAnswer
from servery.tasks.multi_label_classification import MULTI_LABEL_CLASSIFICATION, MultiLabelAnswer
from servery.tasks.task import Abstention, Calibration

LABELS = ("none", "rain", "alarm")


def drawn(rows: int = 900, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose softmax is the chance of each label, and labels drawn by those chances."""
    generator = np.random.default_rng(seed)
    outputs = generator.normal(0, 2, (rows, 3)).astype(np.float32)
    scores = CLASSIFICATION.scores(outputs, Calibration())
    targets = np.array([generator.choice(3, p=row) for row in scores])
    return targets, outputs


def fitted(cost: float, outside: str = "") -> Calibration:
    targets, outputs = drawn()
    return CLASSIFICATION.abstaining(Calibration(), targets, outputs, LABELS, Abstention(cost, outside))


def test_the_dearer_it_is_to_abstain_the_less_a_model_does() -> None:
    least = [fitted(cost).least_confidence for cost in (0.1, 0.3, 0.5)]
    assert least == sorted(least, reverse=True)
    assert least[0] > least[-1] > 0


def test_with_honest_scores_it_abstains_where_a_mistake_is_likelier_than_what_abstaining_costs() -> None:
    assert fitted(0.4).least_confidence == pytest.approx(0.6, abs=0.08)


def test_at_the_price_of_a_mistake_it_always_answers() -> None:
    calibration = fitted(1.0)
    targets, outputs = drawn()
    assert calibration.least_confidence < 0.34
    assert not CLASSIFICATION.abstains(CLASSIFICATION.scores(outputs, calibration), calibration).any()
    assert "coverage" not in CLASSIFICATION.measure(targets, outputs, Calibration())


def test_the_label_that_says_none_fits_is_an_abstention_even_where_it_is_sure() -> None:
    calibration = Calibration(outside=0)
    outputs = np.array([[4.0, 0.0, 0.0], [0.0, 4.0, 0.0]], np.float32)
    sure_of_none, rain = CLASSIFICATION.decode(outputs, LABELS, calibration, CLASSIFICATION.parameters())
    assert isinstance(sure_of_none, ClassificationAnswer)
    assert isinstance(rain, ClassificationAnswer)
    assert (sure_of_none.label, sure_of_none.abstains) == ("none", True)
    assert (rain.label, rain.abstains) == ("rain", False)


def test_metrics_tell_what_is_answered_rightly_inside_and_left_alone_outside() -> None:
    targets = np.array([0, 0, 1, 1, 2, 2])
    outputs = 5.0 * np.eye(3, dtype=np.float32)[[0, 1, 1, 2, 2, 2]]
    outputs[5] = 0.1 * np.arange(3)
    metrics = CLASSIFICATION.measure(targets, outputs, Calibration(least_confidence=0.6, outside=0))
    assert metrics["out_of_scope_recall"] == pytest.approx(1 / 2)
    assert metrics["in_scope_accuracy"] == pytest.approx(2 / 4)  # one wrong, one too unsure
    assert metrics["coverage"] == pytest.approx(4 / 6)


def test_rows_outside_make_a_model_more_careful() -> None:
    generator = np.random.default_rng(1)
    inside = 6.0 * np.eye(3, dtype=np.float32)[generator.integers(1, 3, 400)]
    outside = generator.normal(0, 0.3, (100, 3)).astype(np.float32)
    outside[:, 0] -= 1.0  # never named by the label itself
    outputs = np.concatenate([inside, outside])
    targets = np.concatenate([inside.argmax(axis=1), np.zeros(100, np.int64)])
    calibration = CLASSIFICATION.abstaining(Calibration(), targets, outputs, LABELS, Abstention(0.9, "none"))
    metrics = CLASSIFICATION.measure(targets, outputs, calibration)
    assert metrics["out_of_scope_recall"] > 0.95
    assert metrics["in_scope_accuracy"] > 0.95


def test_a_caller_may_ask_for_more_care() -> None:
    outputs = np.array([[0.0, 1.0, 0.0]], np.float32)
    asked = CLASSIFICATION.parameters(least_confidence=0.9)
    careful = CLASSIFICATION.decode(outputs, LABELS, Calibration(), asked)[0]
    plain = CLASSIFICATION.decode(outputs, LABELS, Calibration(), CLASSIFICATION.parameters())[0]
    assert isinstance(careful, ClassificationAnswer)
    assert isinstance(plain, ClassificationAnswer)
    assert careful.abstains
    assert not plain.abstains


def test_the_confidence_of_several_labels_is_the_f1_that_comes_true() -> None:
    generator = np.random.default_rng(2)
    outputs = generator.normal(-0.5, 2.0, (20_000, 4)).astype(np.float32)
    task, calibration = MULTI_LABEL_CLASSIFICATION, Calibration()
    scores = task.scores(outputs, calibration)
    targets = (generator.random(scores.shape) < scores).astype(np.float32)
    expected, found = task.confidence(scores, calibration), task.quality(targets, outputs, calibration)
    for low in (0.2, 0.4, 0.6, 0.8):
        rows = (expected >= low) & (expected < low + 0.2)
        assert found[rows].mean() == pytest.approx(expected[rows].mean(), abs=0.06)


def test_several_labels_are_left_unanswered_where_little_of_them_would_be_right() -> None:
    outputs = np.array([[0.1, 0.0, -0.1], [5.0, -5.0, -5.0]], np.float32)
    calibration = Calibration(least_confidence=0.8)
    answers = MULTI_LABEL_CLASSIFICATION.decode(
        outputs, LABELS, calibration, MULTI_LABEL_CLASSIFICATION.parameters()
    )
    assert [a.abstains for a in answers if isinstance(a, MultiLabelAnswer)] == [True, False]


def test_another_order_of_labels_keeps_what_is_outside() -> None:
    calibration = Calibration(least_confidence=0.4, outside=0)
    outputs = np.array([[3.0, 0.0, 1.0]], np.float32)
    _, moved = CLASSIFICATION.aligned(outputs, calibration, LABELS, ("alarm", "none", "rain"))
    assert (moved.outside, moved.least_confidence) == (1, 0.4)
