"""Texts that grow, asked by the unmodified clients of OpenAI and the Hub, and by our own protocol."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import msgspec
import openai
import pytest
from huggingface_hub import AsyncInferenceClient, InferenceClient
from openai import AsyncOpenAI, OpenAI

from servery.schemas import ErrorBody, PredictResponse
from servery.tasks.generated_text import TextGenerationAnswer, TextGenerationParameters

Call = Callable[..., httpx.Response]
GREEDY = {"temperature": 0, "max_tokens": 24}
PROMPT = "Once upon a time"
MESSAGES: Any = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who are you?"}]


@pytest.fixture(scope="session")
def scribe(house: Any) -> Any:
    """The same model in this process."""
    return house.load_room("scribe").scribe()


@pytest.fixture
def client(server: Any, home: Any) -> Iterator[OpenAI]:
    with OpenAI(
        base_url=f"{server.url}/v1",
        api_key=home.secrets["app"],
        max_retries=0,
        _strict_response_validation=True,
    ) as made:
        yield made


@pytest.fixture
def lenient(server: Any, home: Any) -> Iterator[OpenAI]:
    """For streamed completions: OpenAI says null while a text grows, which the client's own strict types refuse."""
    with OpenAI(base_url=f"{server.url}/v1", api_key=home.secrets["app"], max_retries=0) as made:
        yield made


@pytest.fixture
async def aclient(server: Any, home: Any) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(
        base_url=f"{server.url}/v1",
        api_key=home.secrets["app"],
        max_retries=0,
    ) as made:
        yield made


@pytest.fixture
def hub(server: Any, home: Any) -> InferenceClient:
    return InferenceClient(model=f"{server.url}/v1/models/scribe", token=home.secrets["app"])


def expected(scribe: Any, example: dict[str, Any], **parameters: Any) -> TextGenerationAnswer:
    answer: TextGenerationAnswer = scribe.predict([example], TextGenerationParameters(**parameters))[0]
    return answer


def used(call: Call) -> tuple[int, int]:
    """Requests and tokens on the bill of the house's model, over all keys."""
    rows = [row for row in call("GET", "/admin/v1/usage").json()["data"] if row["unit"] == "tokens"]
    mine = [row for row in rows if row["model"].startswith("scribe@")]
    return sum(row["requests"] for row in mine), sum(row["units"] for row in mine)


def events_of(answer: httpx.Response) -> list[tuple[str, Any]]:
    assert answer.headers["content-type"].startswith("text/event-stream")
    found = []
    for block in answer.text.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        data = fields["data"]
        found.append((fields.get("event", ""), data if data == "[DONE]" else json.loads(data)))
    return found


# OpenAI: completions


def test_a_completion_is_the_models_own_text(client: OpenAI, scribe: Any) -> None:
    told = client.completions.create(model="scribe", prompt=PROMPT, **GREEDY)
    right = expected(scribe, {"text": PROMPT}, **GREEDY)
    assert (told.choices[0].text, told.choices[0].finish_reason) == (right.text, "length")
    assert told.model == "scribe@1"
    assert told.usage is not None
    assert told.usage.prompt_tokens == right.prompt_tokens
    assert told.usage.completion_tokens == 24
    assert told.usage.total_tokens == right.prompt_tokens + 24
    assert told.system_fingerprint is not None
    assert told.system_fingerprint.startswith("fp_")


def test_a_streamed_completion_is_the_same_text(client: OpenAI, lenient: OpenAI) -> None:
    whole = client.completions.create(model="scribe", prompt=PROMPT, **GREEDY)
    options: Any = {"include_usage": True}
    stream = lenient.completions.create(
        model="scribe", prompt=PROMPT, stream=True, stream_options=options, **GREEDY
    )
    chunks = list(stream)
    assert "".join(choice.text for chunk in chunks for choice in chunk.choices) == whole.choices[0].text
    assert [c.finish_reason for chunk in chunks for c in chunk.choices][-1] == "length"
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[-1].choices == []
    assert chunks[-1].usage == whole.usage
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_several_prompts_and_choices_come_in_order(client: OpenAI, scribe: Any) -> None:
    told = client.completions.create(
        model="scribe", prompt=["dog", "cat"], n=2, seed=5, max_tokens=6, temperature=1
    )
    assert [choice.index for choice in told.choices] == [0, 1, 2, 3]
    for place, choice in enumerate(told.choices):
        text = ["dog", "cat"][place // 2]
        assert choice.text == expected(scribe, {"text": text}, max_tokens=6, seed=5 + place % 2).text
    assert told.usage is not None
    assert told.usage.completion_tokens == 24
    assert told.usage.prompt_tokens == sum(
        expected(scribe, {"text": t}, max_tokens=1).prompt_tokens for t in ("dog", "cat")
    )


def test_a_prompt_may_be_tokens(client: OpenAI, scribe: Any) -> None:
    numbers = scribe.encoder.tokenizer.numbers(PROMPT)
    text = client.completions.create(model="scribe", prompt=PROMPT, **GREEDY).choices[0].text
    assert client.completions.create(model="scribe", prompt=numbers, **GREEDY).choices[0].text == text
    both = client.completions.create(model="scribe", prompt=[numbers, numbers], **GREEDY)
    assert [choice.text for choice in both.choices] == [text, text]


def test_completion_logprobs_tell_tokens_chances_and_places(client: OpenAI, scribe: Any) -> None:
    told = client.completions.create(model="scribe", prompt=PROMPT, logprobs=3, **GREEDY)
    right = expected(scribe, {"text": PROMPT}, logprobs=3, **GREEDY)
    logprobs = told.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.token_logprobs == pytest.approx([token.logprob for token in right.tokens])
    assert logprobs.top_logprobs is not None
    assert all(len(top) == 3 for top in logprobs.top_logprobs)
    assert logprobs.text_offset is not None
    assert logprobs.text_offset[0] == 0


def test_without_max_tokens_a_completion_has_sixteen_as_openai_says(client: OpenAI) -> None:
    told = client.completions.create(model="scribe", prompt=PROMPT, temperature=0)
    assert told.usage is not None
    assert told.usage.completion_tokens == 16


def test_a_stop_text_ends_streamed_and_whole_texts_alike(
    client: OpenAI, lenient: OpenAI, scribe: Any
) -> None:
    right = expected(scribe, {"text": PROMPT}, **GREEDY)
    stop = [right.text[6:9], "never in there"]
    told = client.completions.create(model="scribe", prompt=PROMPT, stop=stop, **GREEDY)
    assert told.choices[0].text == right.text[: right.text.index(stop[0])]
    assert told.choices[0].finish_reason == "stop"
    stream = lenient.completions.create(model="scribe", prompt=PROMPT, stop=stop, stream=True, **GREEDY)
    choices = [choice for chunk in stream for choice in chunk.choices]
    assert "".join(choice.text for choice in choices) == told.choices[0].text
    assert choices[-1].finish_reason == "stop"


# OpenAI: chat


def test_a_chat_answer_goes_on_from_the_models_own_template(client: OpenAI, scribe: Any) -> None:
    told = client.chat.completions.create(
        model="scribe", messages=MESSAGES, temperature=0, max_completion_tokens=20
    )
    right = expected(scribe, {"messages": MESSAGES}, temperature=0, max_tokens=20)
    assert told.choices[0].message.content == right.text
    assert told.choices[0].message.role == "assistant"
    assert told.usage is not None
    assert told.usage.prompt_tokens == right.prompt_tokens


def test_a_streamed_chat_is_the_same_text_with_the_usage_at_its_end(client: OpenAI) -> None:
    asked: Any = {"model": "scribe", "messages": MESSAGES, "temperature": 0, "max_tokens": 20}
    whole = client.chat.completions.create(**asked)
    chunks = list(
        client.chat.completions.create(stream=True, stream_options={"include_usage": True}, **asked)
    )
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(c.delta.content or "" for chunk in chunks for c in chunk.choices)
    assert text == whole.choices[0].message.content
    assert [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason] == ["length"]
    assert chunks[-1].usage == whole.usage


def test_the_clients_own_stream_helper_reads_ours(client: OpenAI, scribe: Any) -> None:
    text = expected(scribe, {"messages": MESSAGES}, seed=4, max_tokens=12).text
    asked: Any = {"model": "scribe", "messages": MESSAGES, "seed": 4, "max_tokens": 12, "stop": text[-3:]}
    with client.chat.completions.stream(**asked) as stream:
        deltas = [event.delta for event in stream if event.type == "content.delta"]
        whole = stream.get_final_completion()
    assert "".join(deltas) == whole.choices[0].message.content == text[: text.index(text[-3:])]


def test_chat_logprobs_tell_bytes_and_alternatives(client: OpenAI) -> None:
    told = client.chat.completions.create(
        model="scribe", messages=MESSAGES, temperature=0, max_tokens=6, logprobs=True, top_logprobs=2
    )
    logprobs = told.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert len(logprobs.content) == 6
    for token in logprobs.content:
        assert token.top_logprobs[0].logprob == pytest.approx(token.logprob)
    raw = b"".join(bytes(token.bytes or []) for token in logprobs.content)
    assert raw.decode(errors="replace").startswith((told.choices[0].message.content or "")[:3])
    streamed = client.chat.completions.create(
        model="scribe",
        messages=MESSAGES,
        temperature=0,
        max_tokens=6,
        logprobs=True,
        top_logprobs=2,
        stream=True,
    )
    tokens = [
        token
        for chunk in streamed
        for choice in chunk.choices
        if choice.logprobs is not None
        for token in choice.logprobs.content or []
    ]
    assert tokens == logprobs.content


def test_choices_of_one_chat_are_streamed_side_by_side(client: OpenAI) -> None:
    asked: Any = {"model": "scribe", "messages": MESSAGES, "n": 3, "seed": 9, "max_tokens": 10}
    whole = client.chat.completions.create(**asked)
    texts = {0: "", 1: "", 2: ""}
    for chunk in client.chat.completions.create(stream=True, **asked):
        for choice in chunk.choices:
            texts[choice.index] += choice.delta.content or ""
    assert list(texts.values()) == [choice.message.content for choice in whole.choices]
    assert len(set(texts.values())) == 3


def test_messages_may_come_in_parts_and_developers_speak_as_the_system(client: OpenAI) -> None:
    parts: Any = [
        {
            "role": "developer",
            "content": [{"type": "text", "text": "Be "}, {"type": "text", "text": "brief."}],
        },
        {"role": "user", "content": "Who are you?"},
    ]
    asked: Any = {"model": "scribe", "temperature": 0, "max_tokens": 8}
    one = client.chat.completions.create(messages=parts, **asked)
    other = client.chat.completions.create(messages=MESSAGES, **asked)
    assert one.choices[0].message == other.choices[0].message


def test_what_means_nothing_here_is_accepted(client: OpenAI) -> None:
    told = client.chat.completions.create(
        model="scribe",
        messages=MESSAGES,
        max_tokens=2,
        user="me",
        metadata={"a": "b"},
        store=False,
        service_tier="auto",
        parallel_tool_calls=True,
        response_format={"type": "text"},
        tools=[],
    )
    assert told.usage is not None


async def test_the_async_client_reads_whole_and_streamed(aclient: AsyncOpenAI) -> None:
    asked: Any = {"model": "scribe", "messages": MESSAGES, "temperature": 0, "max_tokens": 12}
    whole = await aclient.chat.completions.create(**asked)
    stream = await aclient.chat.completions.create(stream=True, **asked)
    text = "".join([c.delta.content or "" async for chunk in stream for c in chunk.choices])
    assert text == whole.choices[0].message.content


# What is refused


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "/tools"),
        ({"response_format": {"type": "json_object"}}, "/response_format"),
        ({"modalities": ["text", "audio"]}, "/modalities"),
        ({"reasoning_effort": "high"}, "/reasoning_effort"),
    ],
)
def test_what_no_model_here_does_is_refused_by_name(client: OpenAI, more: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="scribe", messages=MESSAGES, **more)
    assert (refused.value.param, refused.value.code) == (param, "unsupported_parameter")
    assert refused.value.type == "invalid_request_error"


@pytest.mark.parametrize(
    ("more", "param"),
    [({"echo": True}, "/echo"), ({"suffix": "end"}, "/suffix"), ({"best_of": 3}, "/best_of")],
)
def test_echo_suffix_and_best_of_are_refused_by_name(client: OpenAI, more: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.completions.create(model="scribe", prompt=PROMPT, **more)
    assert refused.value.param == param


@pytest.mark.parametrize(
    "body",
    [
        {"messages": []},
        {"messages": "hello"},
        {"messages": [{"role": "user"}]},
        {"messages": [{"role": "king", "content": "hello"}]},
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
        {"messages": MESSAGES, "temperature": 3},
        {"messages": MESSAGES, "n": 0},
        {"messages": MESSAGES, "n": 10**9},
        {"messages": MESSAGES, "max_tokens": 0},
        {"messages": MESSAGES, "top_logprobs": 2},
        {"messages": MESSAGES, "stream_options": {"include_usage": True}},
        {"messages": MESSAGES, "tokens": 3},
        {"messages": MESSAGES, "stop": ""},
        {"messages": MESSAGES, "seed": "7"},
    ],
)
@pytest.mark.parametrize("is_streamed", [False, True])
def test_a_wrong_body_is_refused_with_the_place(call: Call, body: Any, is_streamed: bool) -> None:
    body = {"model": "scribe", **body, **({"stream": True} if is_streamed else {})}
    if is_streamed and "stream_options" in body:
        return
    answer = call("POST", "/v1/chat/completions", json=body)
    assert 400 <= answer.status_code < 500
    assert msgspec.json.decode(answer.content, type=ErrorBody).error.param


def test_a_model_that_cannot_generate_is_refused_with_those_that_can(client: OpenAI) -> None:
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError, match="text-generation") as refused:
            client.completions.create(model="reviews", prompt=PROMPT, stream=stream)
        assert refused.value.param == "model"
        body: Any = refused.value.body
        assert "scribe" in body["hint"]
    with pytest.raises(openai.NotFoundError):
        client.completions.create(model="nobody", prompt=PROMPT)


def test_a_key_for_one_model_asks_no_other(server: Any, home: Any) -> None:
    for key, error in (
        (home.secrets["only-loans"], openai.PermissionDeniedError),
        ("sk-wrong", openai.AuthenticationError),
    ):
        with OpenAI(base_url=f"{server.url}/v1", api_key=key, max_retries=0) as client, pytest.raises(error):
            client.completions.create(model="scribe", prompt=PROMPT)


def test_a_prompt_over_the_context_is_refused_with_the_limit_and_never_cut(client: OpenAI) -> None:
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError, match="maximum context length is 512"):
            client.completions.create(model="scribe", prompt=PROMPT * 300, stream=stream)
        with pytest.raises(openai.BadRequestError, match="maximum context length is 512"):
            client.chat.completions.create(model="scribe", messages=MESSAGES, max_tokens=510, stream=stream)


def test_every_answer_has_openais_headers(client: OpenAI) -> None:
    raw = client.completions.with_raw_response.create(model="scribe", prompt=PROMPT, **GREEDY)
    assert raw.headers["x-request-id"] == raw.parse().id.removeprefix("cmpl-")
    assert int(raw.headers["openai-processing-ms"]) >= 0
    assert raw.headers["x-model-version"] == "scribe@1"


# The Hub


def test_the_hubs_client_reads_text_details_and_streams(hub: InferenceClient, scribe: Any) -> None:
    right = expected(scribe, {"text": PROMPT}, temperature=0, max_tokens=12, logprobs=0)
    assert hub.text_generation(PROMPT, max_new_tokens=12) == right.text
    full = hub.text_generation(PROMPT, max_new_tokens=12, details=True, return_full_text=True)
    assert full.generated_text == PROMPT + right.text
    assert full.details is not None
    assert full.details.generated_tokens == 12
    assert [token.id for token in full.details.tokens] == [token.id for token in right.tokens]
    assert "".join(hub.text_generation(PROMPT, max_new_tokens=12, stream=True)) == right.text
    events = list(hub.text_generation(PROMPT, max_new_tokens=12, stream=True, details=True))
    assert [event.token.id for event in events] == [token.id for token in right.tokens]
    assert events[-1].generated_text == right.text
    assert events[-1].details is not None
    assert events[-1].details.finish_reason == "length"


def test_the_hubs_client_chats_at_a_models_own_address_and_at_the_servers(
    hub: InferenceClient, server: Any, home: Any
) -> None:
    whole = hub.chat_completion(MESSAGES, max_tokens=8, temperature=0.0)
    text = whole.choices[0].message.content
    assert text
    chunks = hub.chat_completion(MESSAGES, max_tokens=8, temperature=0.0, stream=True)
    assert "".join(c.delta.content or "" for chunk in chunks for c in chunk.choices) == text
    general = InferenceClient(base_url=f"{server.url}/v1", api_key=home.secrets["app"])
    made = general.chat.completions.create(model="scribe", messages=MESSAGES, max_tokens=8, temperature=0.0)
    assert made.choices[0].message.content == text


async def test_the_hubs_async_client_reads_the_same(server: Any, home: Any) -> None:
    async with AsyncInferenceClient(
        model=f"{server.url}/v1/models/scribe", token=home.secrets["app"]
    ) as client:
        text = await client.text_generation(PROMPT, max_new_tokens=12)
        stream = await client.text_generation(PROMPT, max_new_tokens=12, stream=True)
        assert "".join([piece async for piece in stream]) == text
        whole = await client.chat_completion(MESSAGES, max_tokens=8, temperature=0.0)
        chunks = await client.chat_completion(MESSAGES, max_tokens=8, temperature=0.0, stream=True)
        parts = [c.delta.content or "" async for chunk in chunks for c in chunk.choices]
        assert "".join(parts) == whole.choices[0].message.content


def test_the_hubs_form_takes_several_inputs(call: Call, hub: InferenceClient) -> None:
    body = {"inputs": ["dog", "cat"], "parameters": {"max_new_tokens": 5}}
    told = call("POST", "/v1/models/scribe", json=body)
    assert [row["generated_text"] for row in told.json()] == [
        hub.text_generation(text, max_new_tokens=5) for text in ("dog", "cat")
    ]
    assert int(told.headers["x-usage-tokens"]) > 10
    assert call("POST", "/v1/models/scribe", json={**body, "stream": True}).status_code == 422


# Our own protocol


def test_our_own_stream_ends_with_the_whole_answer_in_its_envelope(call: Call, predict: Any) -> None:
    asked = {"seed": 3, "max_tokens": 9}
    whole = predict("scribe", ["dog", "cat"], **asked).json()
    answer = predict("scribe", ["dog", "cat"], headers={"accept": "text/event-stream"}, **asked)
    events = events_of(answer)
    assert {name for name, _ in events[:-1]} == {"piece"}
    assert events[-1][0] == "answer"
    last = msgspec.convert(events[-1][1], PredictResponse)
    assert last.outputs == whole["outputs"]
    assert last.usage["tokens"] == whole["usage"]["tokens"]
    for place in (0, 1):
        pieces = [
            data["piece"]["text"] for name, data in events if name == "piece" and data["index"] == place
        ]
        assert "".join(pieces) == whole["outputs"][place]["text"]


def test_a_model_whose_answers_come_whole_answers_whole(call: Call) -> None:
    body, accept = {"inputs": "great fun"}, {"accept": "text/event-stream"}
    answer = call("POST", "/v1/models/reviews/predict", json=body, headers=accept)
    assert answer.headers["content-type"] == "application/json"


# Many at once, and those who leave


async def test_thirty_two_streams_at_once_are_each_equal_to_their_lone_run(
    aclient: AsyncOpenAI, scribe: Any
) -> None:
    async def streamed(place: int) -> str:
        prompt = f"{place}: " + PROMPT * (place % 5)
        stream = await aclient.completions.create(
            model="scribe", prompt=prompt, temperature=0, max_tokens=40, stream=True
        )
        return "".join([choice.text async for chunk in stream for choice in chunk.choices])

    together = await asyncio.gather(*(streamed(place) for place in range(32)))
    for place in range(32):
        prompt = f"{place}: " + PROMPT * (place % 5)
        assert together[place] == expected(scribe, {"text": prompt}, temperature=0, max_tokens=40).text


def test_what_is_on_the_bill_is_what_was_told(client: OpenAI, call: Call, predict: Any) -> None:
    before = used(call)
    told = client.completions.create(model="scribe", prompt=["dog", PROMPT], n=3, max_tokens=7)
    assert told.usage is not None
    total = told.usage.total_tokens
    for chunk in client.chat.completions.create(
        model="scribe", messages=MESSAGES, max_tokens=9, stream=True, stream_options={"include_usage": True}
    ):
        total += chunk.usage.total_tokens if chunk.usage is not None else 0
    total += int(predict("scribe", "dog", max_tokens=5).json()["usage"]["tokens"])
    after = used(call)
    assert (after[0] - before[0], after[1] - before[1]) == (3, total)


def test_a_client_that_leaves_mid_way_pays_for_what_was_made_and_frees_its_place(
    server: Any, home: Any, call: Call, scribe: Any
) -> None:
    before = used(call)
    body = {"model": "scribe", "prompt": PROMPT, "max_tokens": 490, "seed": 1, "stream": True}
    body["logit_bias"] = {"1": -100}  # so that it does not end by itself
    headers = {"authorization": f"Bearer {home.secrets['root']}"}
    seen = 0
    with httpx.stream("POST", f"{server.url}/v1/completions", json=body, headers=headers) as answer:
        for line in answer.iter_lines():
            seen += line.startswith("data: ")
            if seen == 5:
                break
    deadline = time.monotonic() + 5
    while (after := used(call))[0] == before[0]:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    prompt_tokens = expected(scribe, {"text": PROMPT}, max_tokens=1).prompt_tokens
    assert after[0] - before[0] == 1
    assert 5 <= after[1] - before[1] - prompt_tokens < 490
    rows = grown_rows(call)
    time.sleep(0.1)
    assert grown_rows(call) == rows


async def test_neighbours_of_clients_that_break_off_get_their_own_texts(
    aclient: AsyncOpenAI, scribe: Any
) -> None:
    async def stays(place: int) -> str:
        stream = await aclient.completions.create(
            model="scribe", prompt=f"{place} stays", temperature=0, max_tokens=60, stream=True
        )
        return "".join([choice.text async for chunk in stream for choice in chunk.choices])

    async def leaves(place: int) -> str:
        stream = await aclient.completions.create(
            model="scribe", prompt=f"{place} leaves", max_tokens=400, stream=True
        )
        async for _ in stream:
            if place:
                break
        await stream.close()
        return ""

    told = await asyncio.gather(*(stays(n) for n in range(6)), *(leaves(n % 2) for n in range(1, 12, 2)))
    for place in range(6):
        right = expected(scribe, {"text": f"{place} stays"}, temperature=0, max_tokens=60)
        assert told[place] == right.text


def grown_rows(call: Call) -> int:
    """Rows in the steps of the house's model so far."""
    replicas = call("GET", "/admin/v1/status").json()["replicas"]
    return next(int(replica["rows"]) for replica in replicas if replica["reference"] == "scribe@1")


def test_a_deadline_cuts_a_stream_with_an_error_event(call: Call) -> None:
    body = {"model": "scribe", "prompt": PROMPT, "max_tokens": 495, "n": 64, "stream": True, "seed": 1}
    body["logit_bias"] = {"1": -100}
    answer = call("POST", "/v1/completions", json=body, headers={"x-deadline-ms": "150"})
    if answer.status_code == 504:
        return  # not even the first piece was there
    events = events_of(answer)
    assert events[-1][1] == "[DONE]"
    assert events[-2][1]["error"]["code"] == "request.deadline"


async def test_the_async_client_may_close_a_stream_early_and_the_server_goes_on(aclient: AsyncOpenAI) -> None:
    for _ in range(5):
        stream = await aclient.completions.create(model="scribe", prompt=PROMPT, max_tokens=400, stream=True)
        await anext(aiter(stream))
        await stream.close()
    told = await aclient.completions.create(model="scribe", prompt=PROMPT, max_tokens=3)
    assert told.usage is not None
