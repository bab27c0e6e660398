"""Where the line is drawn: chosen on validation for a stated goal, kept with the model, told in every answer."""

import numpy as np
import pytest

from servery.errors import DataError, UnknownNameError
from servery.tasks.classification import CLASSIFICATION, ClassificationAnswer
from servery.tasks.label_task import decided
from servery.tasks.language_identification import LANGUAGE_IDENTIFICATION
from servery.tasks.operating_point import Goal, OperatingPoint, fit_threshold
from servery.tasks.regression import REGRESSION
from servery.tasks.task import Abstention, Calibration

LABELS = ("absent", "present")


def drawn(rows: int = 400, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits whose softmax is the chance of each label, and labels drawn by those chances; a third are present."""
    generator = np.random.default_rng(seed)
    outputs = np.stack([np.zeros(rows), generator.normal(-1.2, 2, rows)], axis=1).astype(np.float32)
    chance = CLASSIFICATION.scores(outputs, Calibration())[:, 1]
    return (generator.random(rows) < chance).astype(np.int64), outputs


def fitted(stated: dict[str, float], positive: str = "", seed: int = 0) -> Calibration:
    targets, outputs = drawn(seed=seed)
    return CLASSIFICATION.deciding(Calibration(), targets, outputs, LABELS, Goal(positive, stated))


@pytest.mark.parametrize("name", ["sensitivity", "specificity"])
@pytest.mark.parametrize("share", [0.8, 0.95])
def test_what_is_promised_of_new_rows_is_kept_on_average(name: str, share: float) -> None:
    kept = []
    for seed in range(60):
        calibration = fitted({name: share}, seed=seed)
        targets, outputs = drawn(1000, seed=1000 + seed)
        kept.append(CLASSIFICATION.measure(targets, outputs, calibration)[name])
    assert share - 0.005 <= np.mean(kept) <= share + 0.02


def test_the_line_is_drawn_no_lower_than_the_goal_needs() -> None:
    targets, outputs = drawn()
    scores = CLASSIFICATION.scores(outputs, Calibration())[:, 1]
    threshold = fit_threshold(targets == 1, scores, Goal(stated={"sensitivity": 0.9}))
    found = np.mean(scores[targets == 1] >= threshold)
    assert 0.9 <= found <= 0.92


def test_a_missed_one_nine_times_as_dear_is_said_from_a_tenth_on() -> None:
    point = fitted({"missed_cost": 9.0, "false_alarm_cost": 1.0}).operating_point
    assert point is not None
    assert point.threshold == pytest.approx(0.1, abs=0.05)
    assert "missed one costing 9" in point.words


def test_a_profit_is_a_cost_seen_from_the_other_side() -> None:
    profit = fitted({"acceptance_gain": 1.0, "acceptance_loss": 9.0}).operating_point
    cost = fitted({"missed_cost": 9.0, "false_alarm_cost": 1.0}).operating_point
    assert profit is not None
    assert cost is not None
    assert profit.threshold == cost.threshold
    assert profit.earns
    assert not cost.earns


def test_few_rows_move_the_line_less_than_many() -> None:
    is_positive = np.array([True, False])
    few = fit_threshold(
        is_positive, np.array([0.9, 0.8]), Goal(stated={"missed_cost": 4, "false_alarm_cost": 1})
    )
    many = fit_threshold(
        np.tile(is_positive, 200),
        np.tile([0.9, 0.8], 200),
        Goal(stated={"missed_cost": 4, "false_alarm_cost": 1}),
    )
    assert few == pytest.approx(0.2, abs=0.05)
    assert many > 0.7


def test_an_answer_says_the_label_that_was_decided_and_where_the_line_is() -> None:
    calibration = Calibration(operating_point=OperatingPoint(1, 0.2, {"sensitivity": 0.9}))
    outputs = np.log(np.array([[0.7, 0.3], [0.9, 0.1]]))
    told, untold = CLASSIFICATION.decode(outputs, LABELS, calibration, CLASSIFICATION.parameters())
    assert isinstance(told, ClassificationAnswer)
    assert isinstance(untold, ClassificationAnswer)
    assert (told.label, round(told.score, 3)) == ("present", 0.3)
    assert told.labels[0].label == "absent"
    assert (untold.label, round(untold.score, 3)) == ("absent", 0.9)
    assert told.decision.goal == "a sensitivity of at least 0.9"


def test_as_tensors_the_label_is_the_decided_one_too() -> None:
    calibration = Calibration(operating_point=OperatingPoint(1, 0.2))
    asked = CLASSIFICATION.tensor_parameters(CLASSIFICATION.parameters())
    answers = CLASSIFICATION.decode(np.log(np.array([[0.7, 0.3]])), LABELS, calibration, asked)
    assert CLASSIFICATION.to_tensors(answers, LABELS, ["label"])["label"].tolist() == [b"present"]


def test_without_a_goal_nothing_changes() -> None:
    targets, outputs = drawn()
    calibration = CLASSIFICATION.deciding(Calibration(), targets, outputs, LABELS, Goal())
    assert calibration == Calibration()
    assert "sensitivity" not in CLASSIFICATION.measure(targets, outputs, calibration)


def test_one_of_three_labels_is_looked_for_against_the_rest() -> None:
    outputs = np.log(np.array([[0.5, 0.3, 0.2], [0.3, 0.6, 0.1], [0.2, 0.7, 0.1]]))
    calibration = Calibration(operating_point=OperatingPoint(2, 0.15))
    scores = CLASSIFICATION.scores(outputs, calibration)
    assert decided(scores, calibration).tolist() == [2, 1, 1]
    metrics = CLASSIFICATION.measure(np.array([2, 1, 2]), outputs, calibration)
    assert metrics["sensitivity"] == pytest.approx(0.5)
    assert metrics["specificity"] == 1.0


def test_near_a_low_line_a_wrong_alarm_is_cheap_and_no_reason_to_abstain() -> None:
    targets, outputs = drawn(4000)
    calibration = fitted({"missed_cost": 9.0, "false_alarm_cost": 1.0})
    fit = CLASSIFICATION.abstaining(calibration, targets, outputs, LABELS, Abstention(0.3))
    assert not CLASSIFICATION.abstains(CLASSIFICATION.scores(outputs, fit), fit).any()
    plain = CLASSIFICATION.abstaining(Calibration(), targets, outputs, LABELS, Abstention(0.3))
    assert CLASSIFICATION.abstains(CLASSIFICATION.scores(outputs, plain), plain).any()


def test_at_an_even_line_confidence_is_the_score_of_the_answer() -> None:
    _, outputs = drawn()
    even = Calibration(operating_point=OperatingPoint(1, 0.5))
    scores = CLASSIFICATION.scores(outputs, even)
    np.testing.assert_allclose(CLASSIFICATION.confidence(scores, even), scores.max(axis=1))


def test_another_order_of_labels_keeps_the_line() -> None:
    calibration = Calibration(operating_point=OperatingPoint(1, 0.2))
    _, moved = CLASSIFICATION.aligned(
        np.zeros((1, 2), np.float32), calibration, LABELS, ("present", "absent")
    )
    assert moved.operating_point is not None
    assert (moved.operating_point.positive, moved.operating_point.threshold) == (0, 0.2)


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ({"sensitivity": 1.5}, "a share between 0 and 1"),
        ({"missed_cost": 5.0}, "do not make one aim"),
        ({"sensitivity": 0.9, "specificity": 0.9}, "do not make one aim"),
        ({"missed_cost": -1.0, "false_alarm_cost": 1.0}, "a number above 0"),
        ({"sensitivity": "high"}, "expected a number"),
    ],
)
def test_a_goal_that_is_none_is_refused(stated: dict[str, float], said: str) -> None:
    with pytest.raises(DataError, match=said):
        Goal(stated=stated)


def test_an_unknown_goal_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="sensitivity"):
        Goal(stated={"sensitivty": 0.9})


def test_of_many_labels_the_one_to_be_found_must_be_named() -> None:
    with pytest.raises(DataError, match="must be named as positive"):
        CLASSIFICATION.deciding(
            Calibration(),
            np.array([0, 1, 2]),
            np.zeros((3, 3)),
            ("a", "b", "c"),
            Goal(stated={"sensitivity": 0.9}),
        )


def test_validation_rows_of_one_kind_choose_no_line() -> None:
    with pytest.raises(DataError, match="rows of one kind only"):
        fit_threshold(np.zeros(5, bool), np.linspace(0, 1, 5), Goal(stated={"sensitivity": 0.9}))


@pytest.mark.parametrize("task", [REGRESSION, LANGUAGE_IDENTIFICATION])
def test_a_task_without_such_a_decision_refuses_a_goal(task) -> None:
    with pytest.raises(DataError, match="has no operating point"):
        task.deciding(
            Calibration(), np.zeros(2), np.zeros((2, 2)), ("a", "b"), Goal(stated={"sensitivity": 0.9})
        )
