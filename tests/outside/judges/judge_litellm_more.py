"""LiteLLM as a client: embeddings, reranking, moderations, transcriptions and pictures."""

import base64
import io
import os
import wave

import litellm
import numpy as np
import pytest

URL, KEY = os.environ["SERVERY_JUDGED_URL"], os.environ["SERVERY_JUDGED_KEY"]
HOW = {"api_base": f"{URL}/v1", "api_key": KEY, "num_retries": 0}
DOCUMENTS = ["rain and wind", "a cat sleeps", "soup and bread"]
litellm.telemetry = False


def spoken(letters):
    """Letters of the house's language of tones, as a wav."""
    times = np.arange(640) / 8000
    parts = [np.zeros(400)]
    for letter in letters:
        hertz = 400 * 2 ** (" abcdefgh".index(letter) / 3.5)
        parts += [0.5 * np.sin(2 * np.pi * hertz * times) * np.hanning(640) ** 0.25, np.zeros(240)]
    samples = np.concatenate([*parts, np.zeros(400)])
    samples += 0.005 * np.random.default_rng(0).standard_normal(len(samples))
    stream = io.BytesIO()
    with wave.open(stream, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return stream.getvalue()


@pytest.mark.parametrize("provider", ["openai", "hosted_vllm"])
def test_texts_are_embedded(provider):
    told = litellm.embedding(model=f"{provider}/meaning", input=["pets", "a cat sleeps", "rain"], **HOW)
    vectors = np.array([row["embedding"] for row in told.data])
    assert vectors.shape == (3, 6)
    assert vectors[0] @ vectors[1] > 0.9 > vectors[0] @ vectors[2]
    assert told.usage.prompt_tokens == 3 + 5 + 3


async def test_texts_are_embedded_asynchronously():
    told = await litellm.aembedding(model="openai/meaning", input="pets", encoding_format="float", **HOW)
    assert len(told.data[0]["embedding"]) == 6


@pytest.mark.parametrize(("provider", "base"), [("cohere", URL), ("hosted_vllm", URL), ("jina_ai", URL)])
def test_documents_are_ordered(provider, base):
    told = litellm.rerank(
        model=f"{provider}/meaning",
        query="pets",
        documents=DOCUMENTS,
        top_n=2,
        api_base=f"{base}/v2/rerank" if provider == "cohere" else f"{base}/v1/rerank",
        api_key=KEY,
    )
    assert told.results[0]["index"] == 1
    assert len(told.results) == 2


def test_what_is_unwanted_is_flagged():
    told = litellm.moderation(input="I hate you", model="unwanted", custom_llm_provider="openai", **HOW)
    assert told.results[0].flagged


def test_recordings_are_transcribed():
    file = ("a.wav", spoken("bad cab"))
    told = litellm.transcription(model="openai/tones", file=file, **HOW)
    assert told.text == "bad cab"
    verbose = litellm.transcription(
        model="openai/tones",
        file=file,
        response_format="verbose_json",
        timestamp_granularities=["word"],
        **HOW,
    )
    assert [word["word"] for word in verbose.words] == ["bad", "cab"]


def test_pictures_are_drawn():
    told = litellm.image_generation(model="openai/shapes", prompt="a circle", n=1, **HOW)
    assert base64.b64decode(told.data[0].b64_json).startswith(b"\x89PNG")


def test_errors_are_of_their_class():
    with pytest.raises(litellm.BadRequestError, match="These models can: meaning"):
        litellm.embedding(model="openai/reviews", input="x", **HOW)
    with pytest.raises(litellm.NotFoundError, match="There is no model 'nobody'"):
        litellm.embedding(model="openai/nobody", input="x", **HOW)
    with pytest.raises(litellm.AuthenticationError):
        litellm.embedding(model="openai/meaning", input="x", **{**HOW, "api_key": "wrong"})
