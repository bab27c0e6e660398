"""Tagging over the wire: native, the unmodified Hub client, OIP; and texts that nobody planned for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from huggingface_hub import InferenceClient, close_session

Call = Callable[..., httpx.Response]
TEXT = "Ann Lind flew from Oslo to Rome."


@pytest.fixture
def hub(server: Any, home: Any) -> Iterator[InferenceClient]:
    yield InferenceClient(f"{server.url}/v1/models/names", token=home.secrets["app"])
    close_session()


def entities(call: Call, inputs: Any, **parameters: Any) -> Any:
    body = {"inputs": inputs, "parameters": parameters}
    answer = call("POST", "/v1/models/names/predict", json=body)
    assert answer.status_code == 200, answer.text
    found = [output["entities"] for output in answer.json()["outputs"]]
    return found if isinstance(inputs, list) else found[0]


def test_the_hub_client_reads_entities(hub: InferenceClient) -> None:
    found = hub.token_classification(TEXT)
    assert [(e.entity_group, e.word, e.start, e.end) for e in found] == [
        ("person", "Ann Lind", 0, 8),
        ("place", "Oslo", 19, 23),
        ("place", "Rome", 27, 31),
    ]
    assert all(0.5 < entity.score <= 1 for entity in found)


def test_the_hub_client_s_parameters_are_heard(hub: InferenceClient) -> None:
    places = hub.token_classification(TEXT, aggregation_strategy="simple", ignore_labels=["person"], stride=2)
    assert [entity.word for entity in places] == ["Oslo", "Rome"]


def test_native_answers_one_and_many_with_places_in_characters(call: Call) -> None:
    assert [(e["label"], e["word"]) for e in entities(call, TEXT)] == [
        ("person", "Ann Lind"),
        ("place", "Oslo"),
        ("place", "Rome"),
    ]
    first, second = entities(call, ["nobody", TEXT])
    assert first == []
    assert second == entities(call, TEXT)
    assert [e["word"] for e in entities(call, TEXT, ignore_labels=["place"])] == ["Ann Lind"]
    assert entities(call, TEXT, min_score=1.0) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \n\t ", []),
        ("😀👩‍👩‍👧", []),
        ("😀 Ann 😀", [("Ann", 2, 5)]),
        ("قابلت أحمد في القاهرة", [("أحمد", 6, 10), ("القاهرة", 14, 21)]),
        ("王芳在上海见Ann", [("王芳", 0, 2), ("上海", 3, 5), ("Ann", 6, 9)]),
        ("ＡＮＮ", [("ＡＮＮ", 0, 3)]),
        ("x" * 90_000, []),
    ],
)
def test_odd_texts_get_sensible_answers(call: Call, text: str, expected: list[tuple[str, int, int]]) -> None:
    assert [(e["word"], e["start"], e["end"]) for e in entities(call, text)] == expected


def test_a_text_that_is_too_long_is_refused_with_the_limit(call: Call) -> None:
    for text, told in (("Ann " * 3_000, "2,000"), ("a" * 100_001, "100,000")):
        answer = call("POST", "/v1/models/names/predict", json={"inputs": text})
        assert answer.status_code == 422
        assert told in answer.text
    answer = call("POST", "/v1/models/names/predict", json={"inputs": "Ann " * 260_000})
    assert answer.status_code == 413


@pytest.mark.parametrize(
    "parameters",
    [{"min_score": 2}, {"aggregation_strategy": "none"}, {"top_k": 3}, {"ignore_labels": "place"}],
)
def test_parameters_that_cannot_be_are_refused(call: Call, parameters: dict[str, Any]) -> None:
    answer = call("POST", "/v1/models/names/predict", json={"inputs": TEXT, "parameters": parameters})
    assert answer.status_code == 422
