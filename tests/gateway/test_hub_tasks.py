"""The Hub's form for the tasks that OpenAI's routes ask, spoken by the unmodified `huggingface_hub` client."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import httpx
import numpy as np
import pytest
from huggingface_hub import AsyncInferenceClient, InferenceClient, close_session
from huggingface_hub.errors import HfHubHTTPError

Call = Callable[..., httpx.Response]


@pytest.fixture
def hub(server: Any, home: Any) -> Iterator[Callable[[str], InferenceClient]]:
    yield lambda model: InferenceClient(f"{server.url}/v1/models/{model}", token=home.secrets["app"])
    close_session()


@pytest.fixture
def small(house: ModuleType) -> Any:
    return house.load_room("openai_models")


def test_the_hub_client_embeds_one_text_and_several(hub: Any) -> None:
    one = hub("meaning").feature_extraction("a cat sleeps")
    several = hub("meaning").feature_extraction(["a cat sleeps", "rain"], normalize=True)
    assert one.dtype == np.float32
    assert (one.shape, several.shape) == ((1, 6), (2, 6))
    assert np.array_equal(one[0], several[0])
    as_made = hub("meaning").feature_extraction("a cat sleeps", normalize=False)
    assert np.linalg.norm(as_made) < 0.99
    assert np.allclose(as_made / np.linalg.norm(as_made), one, atol=1e-6)


def test_the_hub_client_compares_sentences(hub: Any) -> None:
    found = hub("meaning").sentence_similarity("pets", other_sentences=["a cat sleeps", "rain and wind"])
    assert found[0] > 0.9 > 0.3 > found[1]


def test_a_torn_comparison_is_refused(call: Call) -> None:
    for inputs in ({"source_sentence": "a"}, {"source_sentence": 1, "sentences": []}, {"sentences": ["a"]}):
        answer = call("POST", "/v1/models/meaning", json={"inputs": inputs})
        assert answer.status_code == 422
        assert "source_sentence" in answer.text
    answer = call("POST", "/v1/models/meaning", json={"inputs": "x", "parameters": [1], "normalize": True})
    assert answer.status_code == 422


def test_the_hub_client_hears_a_recording_raw_and_in_base64(hub: Any, small: Any) -> None:
    heard = hub("tones").automatic_speech_recognition(small.spoken("bad cab"))
    assert heard.text == "bad cab"
    assert [chunk.text for chunk in heard.chunks] == ["bad", "cab"]
    assert heard.chunks[1].timestamp[0] == pytest.approx(0.49, abs=0.02)
    in_json = hub("tones").automatic_speech_recognition(
        small.spoken("bee"), extra_body={"return_timestamps": True}
    )
    assert in_json.text == "bee"


def test_the_hub_form_hears_a_recording_without_a_content_type(call: Call, small: Any) -> None:
    for content_type in (None, "audio/wav", "application/octet-stream"):
        headers = {} if content_type is None else {"content-type": content_type}
        answer = call("POST", "/v1/models/tones", content=small.spoken("abba"), headers=headers)
        assert answer.json()["text"] == "abba"
        assert answer.headers["x-usage-audio_seconds"] == "1"


def test_the_hub_client_draws_a_picture(hub: Any, small: Any) -> None:
    picture = hub("shapes").text_to_image("a cross", seed=3)
    again = hub("shapes").text_to_image("a cross", seed=3, width=16, height=16)
    assert picture.size == (16, 16)
    assert np.array_equal(np.asarray(picture), np.asarray(again))
    assert small.likest(np.asarray(picture) / 255) == "cross"
    with pytest.raises(HfHubHTTPError, match="circle, square, cross"):
        hub("shapes").text_to_image("a dragon")
    with pytest.raises(HfHubHTTPError):
        hub("shapes").text_to_image("a cross", guidance_scale=7.5)


# The client's own way to send bytes is deprecated by the HTTP library it uses.
@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
async def test_the_async_hub_client_asks_them_all(server: Any, home: Any, small: Any) -> None:
    async with AsyncInferenceClient(token=home.secrets["app"]) as client:
        url = f"{server.url}/v1/models"
        vectors, alike, heard, picture = await asyncio.gather(
            client.feature_extraction("pets", model=f"{url}/meaning"),
            client.sentence_similarity("pets", other_sentences=["cat"], model=f"{url}/meaning"),
            client.automatic_speech_recognition(small.spoken("face"), model=f"{url}/tones"),
            client.text_to_image("a square", model=f"{url}/shapes"),
        )
    assert vectors.shape == (1, 6)
    assert alike[0] > 0.9
    assert heard.text == "face"
    assert picture.size == (16, 16)


def test_native_answers_the_same_tasks(call: Call, small: Any) -> None:
    def ask(model: str, inputs: Any, **parameters: Any) -> Any:
        body = {"inputs": inputs, "parameters": parameters}
        return call("POST", f"/v1/models/{model}/predict", json=body).json()

    assert ask("meaning", ["pets", "rain"])["usage"]["tokens"] == 6
    drawn = ask("shapes", "a circle", n=3, seed=1)
    assert len(drawn["outputs"]) == drawn["usage"]["images"] == 3
    assert ask("judge", {"query": "cat", "document": "a cat"})["outputs"][0]["score"] > 0.9
    sent = call("POST", "/v1/models/tones/predict", content=small.spoken("bed"))
    assert sent.json()["outputs"][0]["words"][0]["word"] == "bed"
    answer = call("POST", "/v1/models/shapes", json={"inputs": "a circle", "parameters": {"n": 2}})
    assert answer.status_code == 422
