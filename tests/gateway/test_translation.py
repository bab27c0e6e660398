"""Translation and language identification over HTTP, by the Hub's own client and natively."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

Call = Callable[..., httpx.Response]
TEXT = "Mary drank a cup of tea at home yesterday."


@pytest.fixture
def hub(server: Any, home: Any) -> Callable[[str], InferenceClient]:
    def client(model: str) -> InferenceClient:
        return InferenceClient(model=f"{server.url}/v1/models/{model}", token=home.secrets["app"])

    return client


def ask(call: Call, model: str, inputs: Any, **parameters: Any) -> httpx.Response:
    body = {"inputs": inputs, "parameters": parameters}
    return call("POST", f"/v1/models/{model}/predict", json=body)


def test_the_hub_client_translates(hub: Any, call: Call) -> None:
    native = ask(call, "interpreter", TEXT).json()["outputs"][0]["text"]
    assert hub("interpreter").translation(TEXT).translation_text == native
    greedy = ask(call, "interpreter", TEXT, beam_size=1).json()["outputs"][0]["text"]
    asked = hub("interpreter").translation(
        TEXT, src_lang="en", tgt_lang="zh", generate_parameters={"num_beams": 1}
    )
    assert asked.translation_text == greedy
    with pytest.raises(HfHubHTTPError, match="from 'en' to 'zh'"):
        hub("interpreter").translation(TEXT, src_lang="fr", tgt_lang="zh")


def test_several_texts_are_answered_as_a_list(call: Call) -> None:
    answer = call("POST", "/v1/models/interpreter", json={"inputs": [TEXT, "Tom ate."]})
    assert [list(row) for row in answer.json()] == [["translation_text"]] * 2
    assert answer.headers["x-usage-characters"] == str(len(TEXT) + len("Tom ate."))


def test_alternatives_and_attention_are_answered_when_asked_for(call: Call) -> None:
    plain = ask(call, "interpreter", TEXT).json()["outputs"][0]
    assert plain["attention"] is None
    assert plain["alternatives"] == []
    full = ask(call, "interpreter", TEXT, alternatives=2, attention=True).json()["outputs"][0]
    assert len(full["alternatives"]) == 2
    assert full["text"] == plain["text"]
    (seen,) = full["attention"]
    assert "".join(seen["source"]).strip().startswith("Mary drank")
    assert "".join(seen["target"]) == full["text"]
    assert all(sum(row) == pytest.approx(1, abs=0.01) for row in seen["weights"])


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("", {"empty_text"}),
        ("玛丽在家。", {"unlike_the_training"}),
        ("أين المكتبة؟", {"unknown_characters", "unlike_the_training"}),
        ("Tom ate 😀.", {"unknown_characters"}),
        ("Mary 看到 a cat.", set()),
    ],
)
def test_odd_texts_are_answered_with_a_warning(call: Call, text: str, codes: set[str]) -> None:
    answer = ask(call, "interpreter", text).json()
    assert codes <= {notice["code"] for notice in answer["warnings"]}
    assert codes <= answer["outputs"][0]["warnings"].keys()
    assert bool(answer["outputs"][0]["text"]) == bool(text)


def test_too_long_texts_are_refused(call: Call) -> None:
    for text, code in (
        ("a" * 2**20, "input.too_large"),
        ("a" * 200_000, "input.too_long"),
        ("word " * 5000, "input.too_long"),
    ):
        answer = ask(call, "interpreter", text)
        assert answer.status_code in (413, 422)
        assert answer.json()["error"]["code"] == code


def test_the_hub_client_tells_languages(hub: Any, call: Call) -> None:
    found = hub("linguist").text_classification("Der Zug fährt heute Abend nicht.", top_k=2)
    assert found[0].label == "de"
    assert len(found) == 2
    odd = ask(call, "linguist", ["", "😀", "你好 everybody"]).json()
    assert [output["label"] for output in odd["outputs"]][:2] == ["und", "und"]
    assert {notice["code"] for notice in odd["warnings"]} == {"empty_text", "no_words", "mixed_scripts"}
