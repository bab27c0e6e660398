"""Trajectory prediction over the wire: many agents, modes, radii, the safety notice, and scenes that cannot be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

Call = Callable[..., httpx.Response]


def asked(
    call: Call, agents: list[dict[str, Any]], parameters: dict[str, Any] | None = None
) -> httpx.Response:
    body = {"inputs": {"step_seconds": 0.5, "agents": agents}, "parameters": parameters or {}}
    return call("POST", "/v1/models/walkers/predict", json=body)


def walker(name: str, *points: list[float] | None) -> dict[str, Any]:
    return {"agent_id": name, "positions_m": list(points)}


def test_every_agent_gets_its_track_its_modes_and_a_growing_radius(call: Call) -> None:
    answer = asked(call, [walker("ann", [0, 0], [1, 0]), walker("bo", [5, 5], [5, 6])]).json()
    ann, bo = answer["outputs"][0]["agents"]
    assert ann["agent_id"] == "ann"
    assert ann["positions_m"] == [[2, 0], [3, 0], [4, 0], [5, 0]]
    assert bo["positions_m"][-1] == [5, 10]
    assert [mode["probability"] for mode in ann["modes"]] == pytest.approx([0.5, 0.25, 0.25])
    assert ann["modes"][1]["positions_m"][0] == pytest.approx([1.8, 0.6])
    assert ann["radius_m"] == pytest.approx([0.2, 0.4, 0.6, 0.8])
    assert answer["usage"]["agents"] == 2


def test_the_caller_chooses_modes_horizon_and_coverage(call: Call) -> None:
    wishes = {"num_modes": 1, "horizon_steps": 2, "coverage": 0.5}
    [ann] = asked(call, [walker("ann", [0, 0], [1, 0])], wishes).json()["outputs"][0]["agents"]
    assert len(ann["modes"]) == 1
    assert len(ann["positions_m"]) == len(ann["modes"][0]["positions_m"]) == 2
    assert ann["radius_m"] == pytest.approx([0.1, 0.2])


def test_the_safety_notice_goes_with_every_answer(call: Call) -> None:
    told = asked(call, [walker("ann", [0, 0], [1, 0])]).json()["warnings"]
    assert [notice["code"] for notice in told] == ["limits_of_use"]


def test_thin_grounds_are_told(call: Call) -> None:
    agents = [walker("new", [3, 3]), walker("gone", [0, 0], None), walker("fast", [0, 0], [9, 0])]
    answer = asked(call, agents).json()
    codes = {notice["code"] for notice in answer["warnings"]} - {"limits_of_use"}
    assert codes == {"one_position", "not_seen_now", "faster_than_learned"}
    new, gone, _ = answer["outputs"][0]["agents"]
    assert new["positions_m"] == [[3, 3]] * 4
    assert gone["positions_m"] == gone["modes"] == gone["radius_m"] == []


def test_the_hub_form_answers_a_list_of_agents(call: Call) -> None:
    scene = {"step_seconds": 0.5, "agents": [walker("ann", [0, 0], [1, 0])]}
    [ann] = call("POST", "/v1/models/walkers", json={"inputs": scene}).json()
    assert ann["agent_id"] == "ann"
    assert len(ann["modes"]) == 3


def test_a_protocol_of_tensors_sends_the_scene_as_text(call: Call) -> None:
    text = '{"step_seconds": 0.5, "agents": [{"agent_id": "ann", "positions_m": [[0, 0], [1, 0]]}]}'
    tensor = {"name": "scene", "shape": [1], "datatype": "BYTES", "data": [text]}
    answer = call("POST", "/v2/models/walkers/infer", json={"inputs": [tensor]})
    assert answer.status_code == 200, answer.text
    assert '"agent_id":"ann"' in answer.json()["outputs"][0]["data"][0]


@pytest.mark.parametrize(
    ("agents", "step", "words"),
    [
        ([walker("ann", [0, 0], ["x", 0])], 0.5, "number"),
        ([walker("ann", None, None)], 0.5, "one position at least"),
        ([walker("ann", [0, 0]), walker("ann", [1, 0])], 0.5, "Two agents"),
        ([walker("ann", [0, 0], [900, 0])], 0.5, "metres"),
        ([walker("ann", [0, 0], [1, 0])], 0.1, "the model learned 0.5 s"),
        ([{**walker("ann", [0, 0], [1, 0]), "times_s": [2.0, 1.5]}], 0.5, "goes backwards"),
        ([{**walker("ann", [0, 0], [1, 0]), "times_s": [2.0, 2.0]}], 0.5, "twice"),
        ([], 0.5, "agents"),
    ],
)
def test_scenes_that_cannot_be_are_refused_with_the_place(
    call: Call, agents: list[dict[str, Any]], step: float, words: str
) -> None:
    body = {"inputs": {"step_seconds": step, "agents": agents}}
    answer = call("POST", "/v1/models/walkers/predict", json=body)
    assert answer.status_code == 422
    assert words in answer.text
