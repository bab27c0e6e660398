"""Summarization over HTTP, by the Hub's own client and natively."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError

Call = Callable[..., httpx.Response]
TEXT = (
    "The pump in the harbour broke last week. A new pump in the harbour keeps the cellars dry. "
    "Nobody knows who paid for the cellars. The mayor sang."
)
CHINESE = "港口的水泵上周坏了。新的水泵使地下室保持干燥。市长唱了歌。"


def ask(call: Call, inputs: Any, **parameters: Any) -> httpx.Response:
    return call("POST", "/v1/models/abridger/predict", json={"inputs": inputs, "parameters": parameters})


def test_the_hub_client_summarizes(server: Any, home: Any, call: Call) -> None:
    client = InferenceClient(model=f"{server.url}/v1/models/abridger", token=home.secrets["app"])
    native = ask(call, TEXT).json()["outputs"][0]["text"]
    assert (
        client.summarization(TEXT).summary_text
        == native
        == "A new pump in the harbour keeps the cellars dry."
    )
    assert client.summarization(TEXT, truncation="longest_first", clean_up_tokenization_spaces=True)
    short = client.summarization(TEXT, generate_parameters={"max_length": 4})
    assert short.summary_text == "A new pump in"
    with pytest.raises(HfHubHTTPError, match="min_tokens"):
        client.summarization(TEXT, generate_parameters={"min_tokens": 4})


def test_chosen_sentences_are_told_with_their_places(call: Call) -> None:
    found = ask(call, [TEXT, CHINESE], max_sentences=2).json()["outputs"]
    for text, answer in zip((TEXT, CHINESE), found, strict=True):
        assert len(answer["sentences"]) == 2
        for piece in answer["sentences"]:
            assert text[piece["start"] : piece["end"]] == piece["text"]
    assert found[1]["text"] == "港口的水泵上周坏了。新的水泵使地下室保持干燥。"


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("", {"empty_text"}),
        (" \n ", {"empty_text"}),
        ("😀 ... !!!", {"no_words"}),
        ("One sentence alone.", set()),
        ("مرحبا بالعالم. كيف الحال؟", set()),
        ("混合 text. 然后 more text。", set()),
    ],
)
def test_odd_texts_get_an_answer_or_a_warning(call: Call, text: str, codes: set[str]) -> None:
    answer = ask(call, text).json()
    assert codes == {notice["code"] for notice in answer["warnings"]}
    assert bool(answer["outputs"][0]["text"]) == (not codes)


def test_too_long_texts_and_impossible_lengths_are_refused(call: Call) -> None:
    for text, code in (("a" * 2**20, "input.too_large"), ("Word. " * 20_000, "input.too_long")):
        answer = ask(call, text)
        assert answer.status_code in (413, 422)
        assert answer.json()["error"]["code"] == code
    assert ask(call, "Word here. " * 9_000).status_code == 200
    for wrong in ({"max_sentences": 0}, {"max_length": -1}, {"length": 3}):
        assert ask(call, TEXT, **wrong).status_code in (400, 422)
