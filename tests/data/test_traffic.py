"""What constant velocities say of a motorway: who is run into, when, and what a careful rule does about it."""

import sys

import numpy as np
import pytest

from servery.data.highway import Highway, row_of
from servery.data.traffic import ACTIONS, COLUMNS, OTHER, outlooks, rule_action
from servery.errors import MissingExtraError


def row(
    y: float = 4.0, speed: float = 25.0, *others: tuple[float, float, float, float]
) -> dict[str, float | None]:
    found: dict[str, float | None] = dict.fromkeys(COLUMNS)
    found |= {"y_m": y, "speed_ms": speed, "sideways_ms": 0.0}
    for place, values in enumerate(others, start=1):
        found |= {f"{name}_{place}": value for name, value in zip(OTHER, values, strict=True)}
    return found


def test_on_an_empty_road_the_fastest_is_the_best() -> None:
    assert rule_action(row(8.0, 25.0)) == "FASTER"
    assert rule_action(row(4.0, 30.0)) == "LANE_RIGHT"
    assert rule_action(row(8.0, 30.0)) == "IDLE"


def test_the_time_to_a_collision_is_that_of_the_gap() -> None:
    found = outlooks(row(4.0, 20.0, (30.0, 0.0, -10.0, 0.0)))
    # 30 m less a car and its margin, at 10 m/s.
    assert found["IDLE"].seconds == pytest.approx(2.2)
    assert found["FASTER"].seconds < found["IDLE"].seconds
    assert found["LANE_LEFT"].is_safe
    assert rule_action(row(4.0, 20.0, (30.0, 0.0, -10.0, 0.0))) == "LANE_RIGHT"


def test_a_car_beside_keeps_one_from_changing_lanes() -> None:
    found = outlooks(row(4.0, 20.0, (2.0, 4.0, 0.0, 0.0)))
    assert not found["LANE_RIGHT"].is_safe
    assert found["LANE_LEFT"].is_safe


def test_where_all_lanes_are_shut_the_one_that_lasts_longest_is_taken() -> None:
    wall = [(12.0 + 2 * place, 4.0 * place - 4.0, -18.0, 0.0) for place in range(3)]
    found = outlooks(row(4.0, 20.0, *wall))
    assert not any(outlook.is_safe for outlook in found.values())
    assert rule_action(row(4.0, 20.0, *wall)) in ACTIONS


def test_vehicles_that_are_not_there_or_half_known_collide_with_nobody() -> None:
    half = row() | {"ahead_m_1": 10.0, "beside_m_1": None}
    assert all(outlook.is_safe for outlook in outlooks(half).values())
    assert outlooks({}) == outlooks(row(0.0, 0.0) | {"y_m": None, "speed_ms": None})


def test_observations_of_the_road_are_rows_in_metres() -> None:
    seen = np.array([[1, 0.75, 1 / 3, 0.3125, 0], [1, 0.1, -1 / 3, -0.05, 0], *np.zeros((3, 5))])
    found = row_of(seen)
    assert (found["y_m"], found["speed_ms"]) == (4.0, 25.0)
    assert (found["ahead_m_1"], found["beside_m_1"], found["closing_ms_1"]) == (20.0, -4.0, -4.0)
    assert found["ahead_m_2"] is None
    assert found.keys() == set(COLUMNS)


def test_without_highway_env_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "highway_env", None)
    with pytest.raises(MissingExtraError) as raised:
        Highway()
    assert raised.value.hint == "pip install 'servery[driving]'"
