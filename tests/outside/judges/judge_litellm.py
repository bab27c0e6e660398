"""LiteLLM as a client of our texts: as `openai/<model>` and as `hosted_vllm/<model>`, whole and streamed."""

from __future__ import annotations

import os
from typing import Any

import httpx
import litellm
import pytest

URL = os.environ["SERVERY_JUDGED_URL"]
KEY = os.environ["SERVERY_JUDGED_KEY"]
HOW: dict[str, Any] = {"api_base": f"{URL}/v1", "api_key": KEY, "num_retries": 0}
MESSAGES = [{"role": "user", "content": "Tell me a story."}]

litellm.telemetry = False


@pytest.mark.parametrize("provider", ["openai", "hosted_vllm"])
def test_a_chat_has_text_and_usage(provider: str) -> None:
    told = litellm.completion(
        model=f"{provider}/scribe", messages=MESSAGES, max_tokens=8, temperature=0, seed=1, **HOW
    )
    assert told.choices[0].message.content
    assert told.choices[0].finish_reason == "length"
    assert told.usage.completion_tokens == 8
    assert told.usage.total_tokens == told.usage.prompt_tokens + 8


@pytest.mark.parametrize("provider", ["openai", "hosted_vllm"])
def test_a_stream_is_the_same_text_and_can_tell_its_usage(provider: str) -> None:
    asked = {"model": f"{provider}/scribe", "messages": MESSAGES, "max_tokens": 12, "temperature": 0, **HOW}
    whole = litellm.completion(**asked)
    chunks = list(litellm.completion(stream=True, stream_options={"include_usage": True}, **asked))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == whole.choices[0].message.content
    usages = [chunk.usage for chunk in chunks if getattr(chunk, "usage", None)]
    assert usages[-1].total_tokens == whole.usage.total_tokens


async def test_the_async_twin_streams_too() -> None:
    stream = await litellm.acompletion(
        model="openai/scribe", messages=MESSAGES, max_tokens=6, temperature=0, stream=True, **HOW
    )
    parts = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert "".join(parts)


def test_a_text_completion_is_read() -> None:
    told = litellm.text_completion(
        model="text-completion-openai/scribe", prompt="Once upon a time", max_tokens=5, temperature=0, **HOW
    )
    assert told.choices[0].text
    assert told.usage.completion_tokens == 5


def test_logprobs_and_several_choices_are_read() -> None:
    told = litellm.completion(
        model="openai/scribe",
        messages=MESSAGES,
        max_tokens=4,
        n=2,
        seed=3,
        logprobs=True,
        top_logprobs=2,
        **HOW,
    )
    assert len(told.choices) == 2
    assert len(told.choices[0].logprobs.content) == 4


def test_errors_are_of_the_right_classes() -> None:
    asked: dict[str, Any] = {"messages": MESSAGES, "max_tokens": 4}
    with pytest.raises(litellm.BadRequestError, match="asks for text-generation"):
        litellm.completion(model="openai/reviews", **asked, **HOW)
    # LiteLLM tells a missing model by OpenAI's own code alone; any other error of a request is a bad one to it.
    with pytest.raises((litellm.NotFoundError, litellm.BadRequestError), match="There is no model 'nobody'"):
        litellm.completion(model="openai/nobody", **asked, **HOW)
    with pytest.raises(litellm.AuthenticationError):
        litellm.completion(model="openai/scribe", **asked, **{**HOW, "api_key": "sk-wrong"})
    with pytest.raises(litellm.BadRequestError, match="response_format"):
        litellm.completion(model="openai/scribe", **asked, response_format={"type": "json_object"}, **HOW)


def test_a_conversation_over_the_context_is_known_as_one() -> None:
    long = [{"role": "user", "content": "Tell me a story. " * 400}]
    with pytest.raises(litellm.ContextWindowExceededError):
        litellm.completion(model="openai/scribe", messages=long, max_tokens=4, **HOW)


def test_retry_after_reaches_the_caller() -> None:
    admin = httpx.Client(base_url=URL, headers={"authorization": f"Bearer {KEY}"})
    made = admin.post(
        "/admin/v1/keys",
        json={"name": "one-a-minute", "scopes": ["predict"], "limits": {"requests_per_minute": 1}},
    )
    assert made.status_code == 201, made.text
    asked = {
        "model": "openai/scribe",
        "messages": MESSAGES,
        "max_tokens": 2,
        **HOW,
        "api_key": made.json()["secret"],
    }
    litellm.completion(**asked)
    with pytest.raises(litellm.RateLimitError) as refused:
        litellm.completion(**asked)
    assert int(refused.value.litellm_response_headers["retry-after"]) >= 1
    admin.delete(f"/admin/v1/keys/{made.json()['id']}")
