"""Driving decisions: the model's own choice, and what its shield makes of it."""

import numpy as np
import pytest

from servery.data.building import build_dataset
from servery.data.columns import Kind
from servery.data.raw_table import RawTable, object_array
from servery.data.traffic import ACTIONS, COLUMNS
from servery.errors import DataError
from servery.tasks.driving_decision import DRIVING_DECISION, DrivingAnswer
from servery.tasks.task import Calibration

EMPTY = dict.fromkeys(COLUMNS) | {"y_m": 4.0, "speed_ms": 25.0, "sideways_ms": 0.0}
NEAR = EMPTY | {"ahead_m_1": 18.0, "beside_m_1": 0.0, "closing_ms_1": -8.0, "crossing_ms_1": 0.0}


def answered(values: list[float], example: dict[str, object]) -> DrivingAnswer:
    outputs = np.array([values], np.float32)
    answers = DRIVING_DECISION.decode(outputs, ACTIONS, Calibration(), DRIVING_DECISION.parameters())
    [answer] = DRIVING_DECISION.completed(answers, [example])
    assert isinstance(answer, DrivingAnswer)
    return answer


def test_on_a_free_road_the_model_s_choice_is_what_is_done() -> None:
    answer = answered([0.0, 1.0, 0.0, 3.0, 0.0], EMPTY)
    assert (answer.action, answer.label, answer.refused) == ("FASTER", "FASTER", ())
    assert answer.values == dict(zip(ACTIONS, [0.0, 1.0, 0.0, 3.0, 0.0], strict=True))
    assert not DRIVING_DECISION.notices([answer])


def test_a_choice_that_ends_in_a_collision_is_refused_for_the_next_best() -> None:
    answer = answered([2.0, 1.0, 0.0, 3.0, 0.0], NEAR)
    assert answer.label == "FASTER"
    assert {"FASTER", "IDLE"} <= set(answer.refused)
    assert answer.action == "LANE_LEFT"
    assert "shielded" in DRIVING_DECISION.notices([answer])


def test_no_protocol_passes_the_shield_by() -> None:
    answer = answered([2.0, 1.0, 0.0, 3.0, 0.0], NEAR)
    assert DRIVING_DECISION.hub_answers([answer], frozenset({Kind.NUMBER}), False) == ["LANE_LEFT"]
    asked = DRIVING_DECISION.parameters()
    assert DRIVING_DECISION.tensor_parameters(asked) is asked
    names = [column.name for column in DRIVING_DECISION.output_tensors(ACTIONS)]
    told = DRIVING_DECISION.to_tensors([answer], ACTIONS, names)
    assert told["action"].tolist() == [b"LANE_LEFT"]
    assert b'"refused":["IDLE","FASTER"' in told["answer"][0]


def test_where_everything_ends_badly_it_is_said_so() -> None:
    walls = {
        f"{name}_{place}": value
        for place in (1, 2, 3)
        for name, value in (
            ("ahead_m", 11.0 + place),
            ("beside_m", 4.0 * place - 8.0),
            ("closing_ms", -20.0),
            ("crossing_ms", 0.0),
        )
    }
    answer = answered([0.0, 0.0, 0.0, 1.0, 0.0], EMPTY | walls)
    assert answer.refused == ACTIONS
    assert answer.action in ACTIONS
    assert DRIVING_DECISION.notices([answer]).keys() == {"shielded", "no_safe_action"}


def test_rows_of_other_columns_have_no_shield() -> None:
    answer = answered([0.0, 0.0, 0.0, 0.0, 1.0], {"speed": 3.0})
    assert (answer.action, answer.refused) == ("SLOWER", ())


def test_an_action_that_no_car_has_is_refused_with_the_words_that_are_known() -> None:
    raw = RawTable(
        {"y_m": object_array([0.0, 4.0]), "action": object_array(["IDLE", "FLY"])}, np.array([1, 2], np.int64)
    )
    dataset = build_dataset(raw, "odd", target="action", kinds={"y_m": "number", "action": "category"})
    with pytest.raises(DataError, match="'FLY'; the actions are LANE_LEFT"):
        DRIVING_DECISION.labels_of(dataset)
