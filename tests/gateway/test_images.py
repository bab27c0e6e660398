"""Pictures drawn in steps, asked over every protocol: streamed or whole, in a grid, alike for a seed."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from huggingface_hub import InferenceClient, close_session
from huggingface_hub.errors import HfHubHTTPError
from openai import OpenAI
from PIL import Image

Call = Callable[..., httpx.Response]


@pytest.fixture
def client(server: Any, home: Any) -> Iterator[OpenAI]:
    with OpenAI(
        base_url=f"{server.url}/v1",
        api_key=home.secrets["app"],
        max_retries=0,
        _strict_response_validation=True,
    ) as made:
        yield made


def opened(encoded: str | None) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(encoded or "")))


def events_of(answer: httpx.Response) -> list[tuple[str, Any]]:
    told = []
    for block in answer.text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        told.append((lines["event"], json.loads(lines["data"])))
    return told


def test_a_picture_is_drawn_whole_and_the_same_seed_draws_the_same(predict: Any) -> None:
    told = predict("flags", ["sea", "flag/red"], n=2, seed=5).json()
    assert told["usage"]["images"] == len(told["outputs"]) == 4
    alone = predict("flags", "flag/red", seed=6).json()["outputs"][0]
    assert alone["image"] == told["outputs"][3]["image"]
    assert len({output["image"] for output in told["outputs"]}) == 4
    picture = opened(alone["image"])
    assert (picture.mode, picture.size) == ("RGBA", (8, 8))
    pixels = np.asarray(picture, np.float64)
    assert pixels[:2, :2, 3].max() < 80 < 170 < pixels[4:, 4:, 3].mean()
    assert pixels[4:, 4:, 0].mean() > 200 > pixels[4:, 4:, 1].mean()


def test_a_stream_tells_every_step_and_shows_the_picture_under_way(call: Call) -> None:
    body = {"inputs": "sea", "parameters": {"seed": 1, "steps": 5, "previews": 2}}
    answer = call("POST", "/v1/models/flags/predict", json=body, headers={"accept": "text/event-stream"})
    assert answer.headers["content-type"].startswith("text/event-stream")
    *pieces, (last, whole) = events_of(answer)
    assert [piece["piece"]["step"] for _, piece in pieces] == [1, 2, 3, 4, 5]
    assert {piece["piece"]["steps"] for _, piece in pieces} == {5}
    shown = [piece["piece"]["preview"] for _, piece in pieces if piece["piece"]["preview"]]
    assert [opened(preview["image"]).size for preview in shown] == [(8, 8)] * 2
    assert last == "answer"
    again = call("POST", "/v1/models/flags/predict", json=body).json()
    assert whole["outputs"] == again["outputs"]
    assert whole["usage"]["images"] == 1


def test_a_grid_holds_every_picture_of_a_prompt_and_costs_as_many(call: Call, predict: Any) -> None:
    told = predict("flags", ["sea", "red"], n=5, seed=1, grid=True).json()
    assert [(o["width"], o["height"], o["images"]) for o in told["outputs"]] == [(26, 17, 5)] * 2
    assert told["usage"]["images"] == 10
    assert predict("shapes", "a circle", n=4, grid=True).json()["outputs"][0]["width"] == 33
    answer = call("POST", "/v1/models/flags", json={"inputs": "sea", "parameters": {"n": 4, "grid": True}})
    assert Image.open(io.BytesIO(answer.content)).size == (17, 17)
    assert answer.headers["x-usage-images"] == "4"


def test_steps_and_guidance_change_the_picture(predict: Any) -> None:
    drawn = {
        predict("flags", "sea", seed=1, **more).json()["outputs"][0]["image"]
        for more in ({}, {"steps": 2}, {"guidance_scale": 3.0}, {"guidance_scale": 1.0})
    }
    assert len(drawn) == 4
    first, second = (
        predict("flags", "sea", seed=1, **{name: 3}).json()["outputs"]
        for name in ("steps", "num_inference_steps")
    )
    assert first == second


@pytest.mark.parametrize(
    ("inputs", "parameters", "words"),
    [
        ("a wall", {}, "flag/red, flag/green, sea"),
        ("flag/gren", {}, "Did you mean 'flag/green'"),
        ("red sea", {}, "'flag/red' and 'sea'"),
        ("", {}, "names none"),
        ("sea", {"seed": -1}, "seed"),
        ("sea", {"seed": 2**63}, "seed"),
        ("sea", {"n": 11}, "n"),
        ("sea", {"n": 0}, "n"),
        ("sea", {"steps": 0}, "steps"),
        ("sea", {"steps": 201}, "steps"),
        ("sea", {"steps": 2, "num_inference_steps": 2}, "they are the same"),
        ("sea", {"guidance_scale": 21}, "guidance_scale"),
        ("sea", {"width": 16}, "16 x 8 was asked for; this model draws 8 x 8"),
        ("sea", {"negative_prompt": "blur"}, "negative_prompt"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_what_can(
    predict: Any, inputs: str, parameters: dict[str, Any], words: str
) -> None:
    answer = predict("flags", inputs, **parameters)
    assert answer.status_code == 422
    assert words in json.dumps(answer.json(), ensure_ascii=False).replace('\\"', '"')


def test_a_model_that_draws_at_once_has_no_steps(predict: Any) -> None:
    for name, value in (("steps", 4), ("num_inference_steps", 4), ("guidance_scale", 2.0)):
        answer = predict("shapes", "a circle", **{name: value})
        assert answer.status_code == 422
        assert "draws at once" in answer.text


def test_openai_s_client_draws_and_streams(client: OpenAI) -> None:
    more = {"seed": 7, "steps": 6}
    told = client.images.generate(model="flags", prompt="the sea", n=2, extra_body=more)
    assert told.data is not None
    stream = client.images.generate(
        model="flags", prompt="the sea", stream=True, partial_images=2, extra_body=more
    )
    *partial, last = list(stream)
    assert [event.type for event in partial] == ["image_generation.partial_image"] * 2
    assert [event.partial_image_index for event in partial] == [0, 1]  # type: ignore[union-attr]
    assert last.type == "image_generation.completed"
    assert last.b64_json == told.data[0].b64_json
    assert (last.size, last.usage.model_extra) == ("8x8", {"images": 1})


def test_openai_s_stream_of_a_model_that_draws_at_once_is_its_pictures(client: OpenAI) -> None:
    stream = client.images.generate(
        model="shapes", prompt="a circle", n=2, stream=True, extra_body={"seed": 7}
    )
    drawn = [event.b64_json for event in stream]
    told = client.images.generate(model="shapes", prompt="a circle", n=2, extra_body={"seed": 7})
    assert told.data is not None
    assert drawn == [image.b64_json for image in told.data]
    for more in ({"prompt": "a dragon"}, {"stream": False, "partial_images": 1}):
        with pytest.raises(openai.BadRequestError, match=r"circle, square, cross|only for a stream"):
            client.images.generate(**{"model": "shapes", "prompt": "a circle", "stream": True, **more})


def test_openai_s_stream_is_refused_with_its_status_before_the_first_step(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="names none"):
        client.images.generate(model="flags", prompt="a dragon", stream=True)
    with pytest.raises(openai.BadRequestError, match="answers classification"):
        client.images.generate(model="reviews", prompt="a dragon", stream=True)


def test_the_hub_client_draws_in_steps(server: Any, home: Any) -> None:
    hub = InferenceClient(f"{server.url}/v1/models/flags", token=home.secrets["app"])
    try:
        one, again = (
            hub.text_to_image("sea", seed=3, num_inference_steps=4, guidance_scale=2.0) for _ in range(2)
        )
        assert np.array_equal(np.asarray(one), np.asarray(again))
        with pytest.raises(HfHubHTTPError, match="flag/red"):
            hub.text_to_image("a dragon")
    finally:
        close_session()


def test_only_pictures_that_were_drawn_are_billed(call: Call, house: ModuleType) -> None:
    made = call("POST", "/admin/v1/keys", json={"name": "painter", "scopes": ["predict"]}).json()
    key = {"authorization": f"Bearer {made['secret']}"}
    body = {"inputs": "sea", "parameters": {"n": 3}}
    for sent in (body, {"inputs": "nothing known"}):
        call("POST", "/v1/models/flags/predict", key=None, json=sent, headers=key)
    used = [u for u in call("GET", "/admin/v1/usage").json()["data"] if u["key"] == made["id"]]
    assert [(u["model"], u["unit"], u["units"]) for u in used] == [("flags@1", "images", 3)]
