"""Text generation as it is asked and answered, in our words and in the Hub's."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from servery.errors import InputError, ServeryError
from servery.tasks.generated_text import (
    DEFAULT_TOKENS,
    Alternative,
    TextGenerationAnswer,
    TextGenerationParameters,
    TextPiece,
    Token,
)
from servery.tasks.task import Calibration, find_task
from servery.tasks.text_generation import TEXT_GENERATION

TOKEN = Token(5, "é", (0xC3, 0xA9), -0.5, False, (Alternative(6, "e", (0x65,), -1.5),))
ANSWER = TextGenerationAnswer("café", "end", 3, 2, 77, (TOKEN, TOKEN))


def test_it_is_found_by_its_name() -> None:
    assert find_task("text-generation") is TEXT_GENERATION
    assert TEXT_GENERATION.hub_name(frozenset()) == "text-generation"
    assert TEXT_GENERATION.title.keys() >= {"en", "zh"}


def test_its_answers_are_not_decoded_from_outputs() -> None:
    with pytest.raises(ServeryError, match="grow"):
        TEXT_GENERATION.decode(None, (), Calibration(), TextGenerationParameters())  # type: ignore[arg-type]


def test_tokens_of_prompts_and_answers_are_on_the_bill() -> None:
    assert TEXT_GENERATION.units_of([ANSWER, ANSWER]) == 10
    assert TEXT_GENERATION.most_units([{"text": "早"}]) >= 3 + DEFAULT_TOKENS


@pytest.mark.parametrize(
    "body",
    [
        b'{"max_tokens":0}',
        b'{"temperature":-1}',
        b'{"temperature":1e999}',
        b'{"top_p":1.1}',
        b'{"top_k":0}',
        b'{"stop":[""]}',
        b'{"stop":["a","b","c","d","e","f","g","h","i","j","k","l","m","n","o","p","q"]}',
        b'{"logprobs":21}',
        b'{"repetition_penalty":0}',
        b'{"frequency_penalty":3}',
        b'{"logit_bias":{"word":1}}',
        b'{"seed":1.5}',
        b'{"top_n":1}',
    ],
)
def test_parameters_out_of_bounds_are_refused(body: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=TextGenerationParameters)


def test_a_stop_text_may_stand_alone_or_in_a_list() -> None:
    read = msgspec.json.Decoder(TextGenerationParameters).decode
    assert read(b'{"stop":"end"}').stops == ("end",)
    assert read(b'{"stop":["a","b"]}').stops == ("a", "b")
    assert read(b"{}").stops == ()


def test_answers_and_pieces_go_through_json_and_back() -> None:
    for value in (ANSWER, TextPiece("caf", TOKEN, None)):
        assert msgspec.json.decode(msgspec.json.encode(value), type=type(value)) == value


@pytest.mark.parametrize(
    ("sent", "temperature"),
    [
        ({}, 0.0),
        ({"do_sample": True}, 1.0),
        ({"temperature": 0.7}, 0.7),
        ({"temperature": 0.7, "do_sample": False}, 0.0),
        ({"top_k": 5}, 1.0),
        ({"top_p": 0.9}, 1.0),
    ],
)
def test_the_hub_draws_only_when_it_is_asked_to(sent: dict[str, Any], temperature: float) -> None:
    parameters = TEXT_GENERATION.hub_asked(sent).parameters
    assert isinstance(parameters, TextGenerationParameters)
    assert parameters.temperature == temperature


def test_the_hubs_other_names_are_ours() -> None:
    sent = {"max_new_tokens": 9, "stop": ["x"], "seed": 3, "repetition_penalty": 1.2, "top_n_tokens": 2}
    parameters = TEXT_GENERATION.hub_asked(sent).parameters
    assert parameters == TextGenerationParameters(
        max_tokens=9, stop=("x",), seed=3, repetition_penalty=1.2, logprobs=2, temperature=0.0
    )


@pytest.mark.parametrize(
    "sent",
    [
        {"watermark": True},
        {"truncate": 5},
        {"grammar": {}},
        {"best_of": 2},
        {"tokens": 3},
        {"max_new_tokens": "9"},
        {"temperature": -1},
    ],
)
def test_what_the_hub_has_and_we_have_not_is_refused_by_name(sent: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(sent))):
        TEXT_GENERATION.hub_asked(sent)


def test_the_hubs_whole_answer_has_details_when_asked() -> None:
    plain = TEXT_GENERATION.hub_asked({}).answer(ANSWER, {"text": "my "})
    assert plain == {"generated_text": "café"}
    asked = TEXT_GENERATION.hub_asked({"details": True, "return_full_text": True})
    full = asked.answer(ANSWER, {"text": "my "})
    assert full["generated_text"] == "my café"
    assert full["details"]["finish_reason"] == "eos_token"
    assert (full["details"]["generated_tokens"], full["details"]["seed"]) == (2, 77)
    assert full["details"]["tokens"][0] == {"id": 5, "text": "é", "logprob": -0.5, "special": False}
    json.dumps(full, allow_nan=False)


def test_the_hubs_stream_tells_the_whole_with_its_last_event() -> None:
    event = TEXT_GENERATION.hub_asked({}).event
    first = event(1, TextPiece("caf", TOKEN), None)
    assert (first["token"]["text"], first["generated_text"], first["details"]) == ("caf", None, None)
    last = event(2, TextPiece("é", TOKEN, "end"), ANSWER)
    assert last["generated_text"] == "café"
    assert last["details"]["input_length"] == 3
