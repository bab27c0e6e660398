"""Commands to a home and forecasts of its city's air over the wire: native, in the Hub's form, explained, refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

Call = Callable[..., httpx.Response]


def answered(call: Call, model: str, inputs: Any, **parameters: Any) -> dict[str, Any]:
    answer = call("POST", f"/v1/models/{model}/predict", json={"inputs": inputs, "parameters": parameters})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_command_gets_intent_and_slots(call: Call) -> None:
    [found] = answered(call, "butler", "lights on", top_k=1)["outputs"]
    assert (found["intent"], found["abstains"]) == ("HassTurnOn", False)
    [slot] = found["slots"]
    assert (slot["name"], slot["value"], slot["start"]) == ("domain", "light", None)
    assert len(found["intents"]) == 1


def test_an_unsure_command_is_warned_of(call: Call) -> None:
    found = answered(call, "butler", "sing a song", least_confidence=0.9)
    assert found["outputs"][0]["abstains"] is True
    assert "ask again" in str(found)


def test_the_hub_s_shape_of_commands(call: Call) -> None:
    answer = call("POST", "/v1/models/butler", json={"inputs": "lights off"})
    assert answer.status_code == 200, answer.text
    assert answer.json()["slots"] == {"domain": "light"}


def test_the_words_of_a_command_are_explained(call: Call) -> None:
    answer = call("POST", "/v1/models/butler/explain", json={"inputs": "lights on"})
    assert answer.status_code == 200, answer.text
    assert "HassTurnOn" in answer.text


def test_a_forecast_has_a_band_that_grows(call: Call) -> None:
    [found] = answered(call, "weather", {"pm25": [12, None, 15.5]})["outputs"]
    assert found["values"] == [15.5] * 3
    assert found["readings"] == 2
    widths = [high - low for low, high in zip(found["low"], found["high"], strict=True)]
    assert widths[0] < widths[1] < widths[2]
    [short] = answered(call, "weather", {"pm25": [12, 15]}, steps=1, coverage=0.5)["outputs"]
    assert (len(short["values"]), short["coverage"]) == (1, 0.5)


def test_one_reading_is_answered_with_a_warning(call: Call) -> None:
    found = answered(call, "weather", {"pm25": [15]})
    assert found["outputs"][0]["values"] == [15.0] * 3
    assert "short_history" in str(found) or "look back" in str(found)


def test_the_readings_of_a_forecast_are_explained(call: Call) -> None:
    answer = call("POST", "/v1/models/weather/explain", json={"inputs": {"pm25": [10, 20]}})
    assert answer.status_code == 200, answer.text
    [explanation] = answer.json()["explanations"]
    # Each step is the last reading; without it, the one before.
    assert [effect["effect"] for effect in explanation["effects"]] == [0.0, 10.0]
    assert explanation["effects"][1]["part"]["text"] == "0 to 0"


def test_the_hub_s_shape_of_forecasts(call: Call) -> None:
    answer = call("POST", "/v1/models/weather", json={"inputs": [{"pm25": [1]}, {"pm25": [2]}]})
    assert answer.json() == [[1.0] * 3, [2.0] * 3]


@pytest.mark.parametrize(
    ("model", "inputs", "parameters", "words"),
    [
        ("butler", 7, {}, "Expected a text"),
        ("butler", "lights on", {"top_k": 0}, "top_k"),
        ("weather", {"pm25": []}, {}, "no reading"),
        ("weather", {"pm25": [None, None]}, {}, "no reading"),
        ("weather", {"pm25": "15"}, {}, "list of numbers"),
        ("weather", {"pm25": [1, "x"]}, {}, "finite number"),
        ("weather", {"pm25": [1], "wind": [2]}, {}, "Unknown"),
        ("weather", [1, 2], {}, "Expected an object"),
        ("weather", {"pm25": [1]}, {"coverage": 0.1}, "coverage"),
    ],
)
def test_what_cannot_be_is_refused(
    call: Call, model: str, inputs: Any, parameters: dict[str, Any], words: str
) -> None:
    answer = call("POST", f"/v1/models/{model}/predict", json={"inputs": inputs, "parameters": parameters})
    assert answer.status_code in (400, 422), answer.text
    assert words in answer.text
