"""Knowledge graphs over the wire: questions and triples, marked texts, the Hub's form, and what nobody planned for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

Call = Callable[..., httpx.Response]
CAPITAL = {"head": "北京", "relation": "capital_of", "tail": None}
TEXT = "Acme was founded by Ann."
PLACES = {"text": TEXT, "head": {"start": 0, "end": 4}, "tail": {"start": 20, "end": 23}}


def outputs(call: Call, model: str, inputs: Any, **parameters: Any) -> list[Any]:
    answer = call("POST", f"/v1/models/{model}/predict", json={"inputs": inputs, "parameters": parameters})
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()["outputs"]
    return found


def test_a_question_gets_candidates_the_best_first(call: Call) -> None:
    [found] = outputs(call, "capitals", CAPITAL, top_k=2)
    assert [candidate["name"] for candidate in found["candidates"]] == ["中国", "北京"]
    assert found["candidates"][0]["score"] > 0.9 > 0.5 > found["candidates"][1]["score"]
    [heads] = outputs(call, "capitals", {**CAPITAL, "head": None, "tail": "Italy"}, top_k=1)
    assert heads["candidates"][0] == {**heads["candidates"][0], "name": "Rome", "is_known": True}


def test_known_facts_are_left_out_on_request_and_each_caller_gets_their_own(call: Call) -> None:
    [found] = outputs(call, "capitals", {**CAPITAL, "head": "Oslo"}, exclude_known=True)
    assert "Norway" not in {candidate["name"] for candidate in found["candidates"]}
    [found] = outputs(call, "capitals", {**CAPITAL, "head": "Oslo"})
    assert found["candidates"][0]["name"] == "Norway"


def test_a_triple_is_judged_beside_a_question(call: Call) -> None:
    true, false, open_ = outputs(
        call, "capitals", [{**CAPITAL, "tail": "中国"}, {**CAPITAL, "tail": "Norway"}, CAPITAL]
    )
    assert (true["is_true"], true["is_known"], true["tail_rank"]) == (True, False, 1.0)
    assert false["is_true"] is False
    assert open_["candidates"]


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({**CAPITAL, "head": "Beijing"}, "北京|none"),
        ({**CAPITAL, "head": "oslo"}, "'Oslo'"),
        ({**CAPITAL, "relation": "capital"}, "'capital_of'"),
        ({**CAPITAL, "head": None}, "Only one"),
        ({"head": "Oslo"}, "Missing"),
        ({**CAPITAL, "head": "x" * 5000}, "characters"),
    ],
)
def test_a_question_that_cannot_be_is_refused(call: Call, inputs: Any, words: str) -> None:
    answer = call("POST", "/v1/models/capitals/predict", json={"inputs": inputs})
    assert answer.status_code in (413, 422), answer.text
    assert any(word in answer.text for word in words.split("|"))


def test_the_hub_s_shapes_of_both_tasks(call: Call) -> None:
    links = call("POST", "/v1/models/capitals", json={"inputs": CAPITAL, "parameters": {"top_k": 1}})
    assert links.status_code == 200, links.text
    assert links.json()[0]["entity"] == "中国"
    relations = call("POST", "/v1/models/founders", json={"inputs": PLACES})
    [fact] = relations.json()
    assert (fact["head"]["text"], fact["relation"], fact["tail"]["text"]) == ("Ann", "founded", "Acme")


def test_marks_and_places_are_the_same_question(call: Call) -> None:
    marked = "<e1>Acme</e1> was founded by <e2>Ann</e2>."
    first, second = outputs(call, "founders", [marked, PLACES])
    assert first == second
    assert (first["label"], first["head"]["text"]) == ("founded(e2,e1)", "Ann")


@pytest.mark.parametrize(
    "text",
    [
        "<e1>😀</e1> <e2>مرحبا</e2>",
        "<e1>李明</e1>创办了<e2>Acme</e2>",
        "<e1> </e1><e2>?</e2>",
        "<e2>b</e2> met <e1>a</e1>" + " x" * 3000,
    ],
)
def test_odd_texts_get_an_answer(call: Call, text: str) -> None:
    [found] = outputs(call, "founders", text)
    assert 0 < found["score"] <= 1


@pytest.mark.parametrize(
    ("inputs", "param"),
    [
        ("", "/inputs"),
        ("a document without an entity", "/inputs"),
        ({**PLACES, "tail": {"start": 20, "end": 99}}, "/inputs/tail"),
        ({**PLACES, "tail": {"start": 2, "end": 6}}, "/inputs/tail"),
        ({**PLACES, "head": {"start": "0", "end": 4}}, "/inputs/head"),
        ({"text": TEXT}, "/inputs"),
    ],
)
def test_a_text_whose_entities_are_not_there_is_refused_by_its_place(
    call: Call, inputs: Any, param: str
) -> None:
    answer = call("POST", "/v1/models/founders/predict", json={"inputs": inputs})
    assert answer.status_code == 422, answer.text
    assert answer.json()["error"]["param"] == param


def test_a_megabyte_is_refused_by_its_length(call: Call) -> None:
    answer = call(
        "POST", "/v1/models/founders/predict", json={"inputs": "<e1>a</e1>" + "x" * 2**20 + "<e2>b</e2>"}
    )
    assert answer.status_code in (413, 422)


def test_an_explanation_names_the_words_that_decide(call: Call) -> None:
    answer = call("POST", "/v1/models/founders/explain", json={"inputs": PLACES})
    assert answer.status_code == 200, answer.text
    effects = answer.json()["explanations"][0]["effects"]
    assert max(effects, key=lambda effect: effect["effect"])["part"]["text"] == "by"
