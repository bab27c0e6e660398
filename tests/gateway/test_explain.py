"""Explanations over HTTP: what speaks for an answer, and what an explanation costs."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

Call = Callable[..., httpx.Response]


def effects(explanation: dict[str, Any]) -> dict[str, float]:
    return {effect["part"]["text"]: effect["effect"] for effect in explanation["effects"]}


def test_the_words_of_a_text_speak_for_and_against_its_label(call: Call) -> None:
    answer = call("POST", "/v1/models/reviews/explain", json={"inputs": "great but quick, rude"})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    (explanation,) = body["explanations"]
    assert explanation["label"] == "positive"
    assert explanation["method"] == "occlusion"
    found = effects(explanation)
    assert found["great"] > 0.01
    assert found["quick"] > 0.01
    assert found["rude"] < -0.01
    assert found["but"] == pytest.approx(0, abs=1e-6)
    assert body["usage"]["rows"] == 5


def test_an_effect_is_the_score_with_the_part_less_the_score_without_it(call: Call) -> None:
    text = "great fun and slow"
    explanation = call("POST", "/v1/models/reviews/explain", json={"inputs": text}).json()["explanations"][0]

    def score(inputs: str) -> float:
        labels = call("POST", "/v1/models/reviews/predict", json={"inputs": inputs}).json()["outputs"][0][
            "labels"
        ]
        return next(pair["score"] for pair in labels if pair["label"] == explanation["label"])

    assert explanation["score"] == pytest.approx(score(text), abs=1e-9)
    for effect in explanation["effects"]:
        start, end = effect["part"]["start"], effect["part"]["end"]
        assert text[start:end] == effect["part"]["text"]
        assert effect["effect"] == pytest.approx(score(text) - score(text[:start] + text[end:]), abs=1e-9)


def test_the_label_can_be_chosen_and_must_be_one_of_the_models(call: Call) -> None:
    asked = {"inputs": "great and rude", "parameters": {"label": "negative"}}
    explanation = call("POST", "/v1/models/reviews/explain", json=asked).json()["explanations"][0]
    assert effects(explanation)["rude"] > 0
    asked["parameters"] = {"label": "neutral"}
    refused = call("POST", "/v1/models/reviews/explain", json=asked)
    assert refused.status_code == 422
    assert "neutral" in refused.json()["error"]["message"]
    assert "negative" in refused.json()["error"]["message"]


def test_the_columns_of_a_row_are_explained_and_a_missing_one_is_no_part(call: Call) -> None:
    row = {"income": 1.0, "debt_ratio": 0.9, "home": None}
    explanation = call("POST", "/v1/models/loans/explain", json={"inputs": row}).json()["explanations"][0]
    assert [effect["part"]["column"] for effect in explanation["effects"]] == ["income", "debt_ratio"]
    by_column = {effect["part"]["column"]: effect["effect"] for effect in explanation["effects"]}
    assert abs(by_column["debt_ratio"]) > abs(by_column["income"])


def test_the_patches_of_a_picture_cover_it_once_each(call: Call) -> None:
    pixels = np.zeros((4, 4), np.uint8)
    pixels[:2] = 255
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    body = {"inputs": base64.b64encode(stream.getvalue()).decode()}
    for sent in ({"json": body}, {"content": stream.getvalue(), "headers": {"content-type": "image/png"}}):
        explanation = call("POST", "/v1/models/shades/explain", **sent).json()["explanations"][0]
        covered = np.zeros((4, 4), int)
        for effect in explanation["effects"]:
            left, top, width, height = effect["part"]["box"]
            covered[top : top + height, left : left + width] += 1
        assert (covered == 1).all()


@pytest.mark.parametrize(
    ("body", "status", "word"),
    [
        ({"inputs": ""}, 422, "no parts"),
        ({"inputs": "...!"}, 422, "no parts"),
        ({"inputs": ["a b c"] * 1000}, 422, "looks"),
        ({"inputs": "good", "parameters": {"top_k": 1}}, 422, "top_k"),
        ({}, 422, "inputs"),
    ],
)
def test_what_cannot_be_explained_is_refused_with_the_reason(
    call: Call, body: Any, status: int, word: str
) -> None:
    answer = call("POST", "/v1/models/reviews/explain", json=body)
    assert answer.status_code == status
    assert word in answer.json()["error"]["message"]


def test_a_long_text_is_cut_into_at_most_64_parts(call: Call) -> None:
    text = " ".join(["great"] * 1000)
    explanation = call("POST", "/v1/models/reviews/explain", json={"inputs": text}).json()["explanations"][0]
    assert 32 < len(explanation["effects"]) <= 64
    assert explanation["effects"][-1]["part"]["end"] == len(text)


def test_chinese_text_is_explained_by_character(call: Call) -> None:
    explanation = call("POST", "/v1/models/reviews/explain", json={"inputs": "服务很好 great"}).json()
    found = [effect["part"]["text"] for effect in explanation["explanations"][0]["effects"]]
    assert found == ["服", "务", "很", "好", "great"]
