"""OpenAI's routes but chat, completions and audio, asked by the unmodified `openai` client, validating strictly."""

from __future__ import annotations

import asyncio
import base64
import functools
import io
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from PIL import Image

Call = Callable[..., httpx.Response]


@pytest.fixture
def small(house: ModuleType) -> Any:
    return house.load_room("openai_models")


@pytest.fixture
def client(server: Any, home: Any) -> Iterator[OpenAI]:
    with OpenAI(
        base_url=f"{server.url}/v1",
        api_key=home.secrets["app"],
        max_retries=0,
        _strict_response_validation=True,
    ) as made:
        yield made


def test_models_are_listed_and_shown(client: OpenAI) -> None:
    listed = {model.id for model in client.models.list()}
    assert {"meaning", "judge", "tones", "shapes", "unwanted"} <= listed
    assert client.models.retrieve("meaning").object == "model"
    with pytest.raises(openai.NotFoundError) as missing:
        client.models.retrieve("nobody")
    assert missing.value.code == "model.not_found"


def test_embeddings_come_as_base64_or_as_numbers_and_mean_something(client: OpenAI) -> None:
    texts = ["a cat sleeps", "pets", "rain and wind"]
    told = client.embeddings.create(model="meaning", input=texts, encoding_format="float")
    vectors = np.array([row.embedding for row in told.data])
    # Left alone, the client asks for base64; its strict validation cannot read what it asked for.
    with OpenAI(base_url=client.base_url, api_key=client.api_key) as lenient:
        plain = lenient.embeddings.create(model="meaning", input=texts)
    assert np.allclose(vectors, [row.embedding for row in plain.data], atol=1e-7)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-6)
    assert vectors[0] @ vectors[1] > 0.9 > 0.3 > vectors[0] @ vectors[2]
    assert [row.index for row in told.data] == [0, 1, 2]
    assert told.model == "meaning@1"
    # Each text has its words and two marks.
    assert told.usage.prompt_tokens == told.usage.total_tokens == 5 + 3 + 5


def test_one_text_is_embedded_as_in_a_list(client: OpenAI) -> None:
    create = functools.partial(client.embeddings.create, encoding_format="float")
    one = create(model="meaning@production", input="pets")
    several = create(model="meaning", input=["pets", "rain"], dimensions=6)
    assert one.data[0].embedding == several.data[0].embedding


def test_dimensions_that_the_model_has_not_are_refused(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="6 numbers, and cannot be cut to 3") as refused:
        client.embeddings.create(model="meaning", input="pets", dimensions=3)
    assert refused.value.param == "dimensions"


@pytest.mark.parametrize("tokens", [[1, 2, 3], [[1, 2], [3]]])
def test_token_numbers_are_refused_with_what_to_do(client: OpenAI, tokens: Any) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(model="meaning", input=tokens)
    assert refused.value.param == "/input/0"
    assert "send the texts" in refused.value.body["hint"]


def test_an_error_points_into_the_body_that_was_sent(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="at /input/1") as refused:
        client.embeddings.create(model="meaning", input=["fine", "x" * 100_001])
    assert refused.value.param == "/input/1"
    with pytest.raises(openai.BadRequestError, match="64"):
        client.embeddings.create(model="meaning", input="cat " * 100)


def test_a_model_of_another_task_is_refused_with_the_names_of_those_that_can(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(model="reviews", input="x")
    assert refused.value.code == "model.task"
    assert refused.value.param == "model"
    assert refused.value.type == "invalid_request_error"
    assert refused.value.body["hint"] == "These models can: meaning."
    with pytest.raises(openai.BadRequestError) as refused:
        client.audio.transcriptions.create(model="meaning", file=("a.wav", b"RIFF"))
    assert refused.value.body["hint"] == "These models can: tones."


def test_only_models_that_the_key_may_ask_are_named(call: Call, home: Any) -> None:
    body = {"model": "loans", "input": "x"}
    answer = call("POST", "/v1/embeddings", key="only-loans", json=body)
    assert answer.status_code == 400
    assert "meaning" not in answer.text
    refused = call("POST", "/v1/embeddings", key="only-loans", json={**body, "model": "meaning"})
    assert refused.json()["error"]["type"] == "permission_error"


def test_a_model_that_does_not_exist_and_an_unknown_field_are_refused(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="nobody", input="x")
    with pytest.raises(openai.BadRequestError, match="unknown field"):
        client.embeddings.create(model="meaning", input="x", extra_body={"colour": "red"})
    with pytest.raises(openai.AuthenticationError):
        client.with_options(api_key="wrong").embeddings.create(model="meaning", input="x")


def test_answers_and_errors_say_how_long_they_took_and_who_they_are(client: OpenAI) -> None:
    raw = client.embeddings.with_raw_response.create(model="meaning", input="x", encoding_format="float")
    assert int(raw.headers["openai-processing-ms"]) >= 0
    assert raw.headers["x-request-id"]
    assert raw.headers["x-model-version"] == "meaning@1"
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(model="loans", input="x")
    assert int(refused.value.response.headers["openai-processing-ms"]) >= 0
    assert refused.value.request_id == refused.value.body["request_id"]


def test_moderations_flag_what_a_multi_label_model_selects(client: OpenAI) -> None:
    told = client.moderations.create(model="unwanted", input=["I hate you", "a fine day", "buy cheap pills"])
    hateful, fine, spam = told.results
    assert hateful.flagged
    assert hateful.categories.hate
    assert hateful.category_scores.hate > 0.9 > 0.1 > hateful.category_scores.violence
    assert not hateful.categories.sexual
    assert hateful.category_applied_input_types.hate == ["text"]
    # A category that the model does not judge says so.
    assert hateful.category_applied_input_types.sexual == []
    assert not fine.flagged
    # Labels that OpenAI does not have come along.
    assert spam.flagged
    assert spam.categories.model_extra == {"spam": True}
    one = client.moderations.create(model="unwanted", input=[{"type": "text", "text": "I hate you"}])
    assert one.results[0].flagged


def test_moderations_of_a_classifier_want_to_be_told_what_is_unwanted(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="negative, positive") as refused:
        client.moderations.create(model="reviews", input="slow and rude")
    assert refused.value.param == "/unwanted"
    told = client.moderations.create(
        model="reviews", input="slow and rude", extra_body={"unwanted": ["negative"]}
    )
    assert told.results[0].flagged
    assert told.results[0].category_scores.model_extra["negative"] > 0.9


def test_a_picture_is_moderated_from_its_data(call: Call, house: ModuleType) -> None:
    picture = "data:image/png;base64," + base64.b64encode(house.picture(5)).decode()
    part = {"type": "image_url", "image_url": {"url": picture}}
    body = {"model": "shades", "input": [part], "unwanted": ["dark"]}
    result = call("POST", "/v1/moderations", json=body).json()["results"][0]
    assert result["flagged"]
    assert result["category_applied_input_types"]["dark"] == ["image"]
    several = call("POST", "/v1/moderations", json={**body, "input": [part, part]})
    assert several.status_code == 400
    address = {"type": "image_url", "image_url": {"url": "https://example.com/x.png"}}
    assert "fetches nothing" in call("POST", "/v1/moderations", json={**body, "input": [address]}).text


def test_decisions_are_made_among_the_labels(client: OpenAI) -> None:
    told = client.decisions.create(
        model="reviews",
        input="great fun and quick",
        questions=[
            {
                "type": "choice",
                "name": "tone",
                "instructions": "Which tone?",
                "choices": [{"value": "negative"}, {"value": "positive"}],
            },
            {"type": "predicate", "instructions": "positive"},
            {
                "type": "score",
                "instructions": "How good?",
                "levels": [{"label": "negative"}, {"label": "positive"}],
            },
        ],
    )
    choice, predicate, score = told.answers
    assert choice.type == "choice"
    assert (choice.name, choice.choice) == ("tone", "positive")
    assert sum(p.probability for p in choice.probabilities) == pytest.approx(1)
    assert predicate.type == "predicate"
    assert predicate.probability == pytest.approx(choice.confidence)
    assert score.type == "score"
    assert score.score == pytest.approx(predicate.probability)
    assert told.usage.total_tokens == 0
    assert told.usage.model_extra["rows"] == 1


def test_a_question_that_the_model_was_not_trained_for_is_refused(client: OpenAI) -> None:
    question = {"type": "predicate", "instructions": "The author owns a boat."}
    with pytest.raises(openai.BadRequestError, match="labels: negative, positive") as refused:
        client.decisions.create(model="reviews", input="x", questions=[question])
    assert refused.value.param == "/questions/0"


DOCUMENTS = ["rain and wind", "a cat sleeps", "soup and bread"]


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank", "/rerank"])
@pytest.mark.parametrize(
    ("model", "query", "method"),
    [("meaning", "pets", "cosine of embeddings"), ("judge", "cat food", "cross-encoder")],
)
def test_documents_are_ordered_and_the_answer_says_by_what(
    call: Call, path: str, model: str, query: str, method: str
) -> None:
    body = {"model": model, "query": query, "documents": DOCUMENTS}
    told = call("POST", path, json=body).json()
    assert told["results"][0]["index"] == 1
    scores = [result["relevance_score"] for result in told["results"]]
    assert scores == sorted(scores, reverse=True)
    assert len(scores) == 3
    assert told["meta"]["method"] == method
    assert told["usage"]["total_tokens"] == told["meta"]["billed_units"]["input_tokens"] > 0
    objects = [{"text": text} for text in DOCUMENTS]
    top = call("POST", path, json={**body, "documents": objects, "top_n": 1, "return_documents": True}).json()
    assert top["results"] == [
        {"index": 1, "relevance_score": scores[0], "document": {"text": "a cat sleeps"}}
    ]


def test_scores_come_in_the_order_of_the_texts(call: Call) -> None:
    body = {"model": "meaning", "text_1": "pets", "text_2": DOCUMENTS}
    told = call("POST", "/v1/score", json=body).json()
    assert [row["index"] for row in told["data"]] == [0, 1, 2]
    assert max(told["data"], key=lambda row: row["score"])["index"] == 1
    alone = call("POST", "/v1/score", json={**body, "text_2": DOCUMENTS[1]}).json()
    assert alone["data"][0]["score"] == pytest.approx(told["data"][1]["score"])


def test_usage_is_counted_in_the_tasks_own_unit(call: Call, small: Any) -> None:
    made = call("POST", "/admin/v1/keys", json={"name": "listener", "scopes": ["predict"]}).json()
    key = {"authorization": f"Bearer {made['secret']}"}
    files = {"file": ("a.wav", small.spoken("bad cab bad cab"))}  # 1.75 seconds
    asked = call(
        "POST", "/v1/audio/transcriptions", key=None, files=files, data={"model": "tones"}, headers=key
    )
    assert asked.status_code == 200
    body = {"model": "shapes", "prompt": "a cross", "n": 3}
    assert call("POST", "/v1/images/generations", key=None, json=body, headers=key).status_code == 200
    used = [u for u in call("GET", "/admin/v1/usage").json()["data"] if u["key"] == made["id"]]
    assert {(u["model"], u["unit"], u["units"]) for u in used} == {
        ("tones@1", "audio_seconds", 2),
        ("shapes@1", "images", 3),
    }


def test_a_prompt_is_drawn_and_the_same_seed_draws_the_same(client: OpenAI, small: Any) -> None:
    told = client.images.generate(model="shapes", prompt="A circle, please", n=2, extra_body={"seed": 7})
    assert told.data is not None
    pictures = [image.b64_json for image in told.data]
    assert pictures[0] != pictures[1]
    with Image.open(io.BytesIO(base64.b64decode(pictures[0] or ""))) as picture:
        assert (picture.format, picture.size) == ("PNG", (small.SIDE, small.SIDE))
        drawn = np.asarray(picture, np.float64) / 255
    assert small.likest(drawn) == "circle"
    again = client.images.generate(model="shapes", prompt="circle", size="16x16", extra_body={"seed": 8})
    assert again.data is not None
    assert again.data[0].b64_json == pictures[1]
    assert told.size == "16x16"
    assert told.usage is not None
    assert told.usage.model_extra == {"images": 2}
    unseeded = [client.images.generate(model="shapes", prompt="circle").data for _ in range(2)]
    assert unseeded[0] != unseeded[1]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"prompt": "a dragon"}, "circle, square, cross"),
        ({"prompt": "a circle in a square"}, "'circle' and 'square'"),
        ({"size": "1024x1024"}, "draws 16 x 16"),
        ({"size": "big"}, "expected e.g."),
        ({"response_format": "url"}, "keeps no pictures"),
        ({"n": 11}, "/n"),
        ({"quality": "hd"}, "quality"),
    ],
)
def test_what_cannot_be_drawn_is_refused(client: OpenAI, more: dict[str, Any], words: str) -> None:
    with pytest.raises(openai.BadRequestError, match=words):
        client.images.generate(**{"model": "shapes", "prompt": "a circle", **more})


def test_pictures_are_not_edited(client: OpenAI, house: ModuleType) -> None:
    with pytest.raises(openai.BadRequestError, match="No model here changes pictures"):
        client.images.edit(model="shapes", image=house.picture(3), prompt="brighter")


async def test_the_async_client_asks_them_all(server: Any, home: Any, small: Any) -> None:
    async with AsyncOpenAI(
        base_url=f"{server.url}/v1",
        api_key=home.secrets["app"],
        max_retries=0,
        _strict_response_validation=True,
    ) as client:
        embedded, judged, heard, drawn, decided = await asyncio.gather(
            client.embeddings.create(model="meaning", input="pets", encoding_format="float"),
            client.moderations.create(model="unwanted", input="kill"),
            client.audio.transcriptions.create(model="tones", file=("a.wav", small.spoken("deaf bee"))),
            client.images.generate(model="shapes", prompt="squares"),
            client.decisions.create(
                model="reviews", input="x", questions=[{"type": "predicate", "instructions": "negative"}]
            ),
        )
        assert len(embedded.data[0].embedding) == 6
        assert judged.results[0].categories.violence
        assert heard.text == "deaf bee"
        assert drawn.data
        assert decided.answers[0].type == "predicate"
        stream = await client.audio.transcriptions.create(
            model="tones", file=("a.wav", small.spoken("bed")), stream=True
        )
        assert [event.type async for event in stream][-1] == "transcript.text.done"
        with pytest.raises(openai.BadRequestError):
            await client.embeddings.create(model="tones", input="x")
