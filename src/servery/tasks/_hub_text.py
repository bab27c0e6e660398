"""Generated texts as `huggingface_hub.InferenceClient.text_generation` asks for and reads them, streamed or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from servery.errors import InputError
from servery.tasks.form import Example
from servery.tasks.generated_text import (
    Alternative,
    FinishReason,
    TextGenerationAnswer,
    TextGenerationParameters,
    TextPiece,
    Token,
)
from servery.tasks.growing import GrowingHubQuestion, Piece
from servery.tasks.task import Answer

FINISH_REASONS: Mapping[FinishReason, str] = {"end": "eos_token", "stop": "stop_sequence", "length": "length"}
NOT_HERE: Mapping[str, tuple[Any, ...]] = {
    "adapter_id": (),
    "best_of": (1,),
    "decoder_input_details": (False,),
    "grammar": (),
    "truncate": (),
    "typical_p": (1.0,),
    "watermark": (False,),
}
"""Parameters of the Hub's clients that no model here has, with the values that ask for nothing."""


class HubTextParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The Hub's names. Without `do_sample` the likeliest token is taken, unless a way of drawing is given."""

    adapter_id: Any = None
    best_of: Any = None
    decoder_input_details: Any = None
    details: bool | None = None
    do_sample: bool | None = None
    frequency_penalty: float | None = None
    grammar: Any = None
    max_new_tokens: int | None = None
    repetition_penalty: float | None = None
    return_full_text: bool | None = None
    seed: int | None = None
    stop: Annotated[list[str], Meta(max_length=16)] | None = None
    temperature: float | None = None
    top_k: int | None = None
    top_n_tokens: int | None = None
    top_p: float | None = None
    truncate: Any = None
    typical_p: Any = None
    watermark: Any = None


def hub_question(sent: Mapping[str, Any]) -> GrowingHubQuestion:
    """Read the parameters, and say how the answer goes back.

    Raises:
        InputError: One of them cannot be, or is none that is here.
    """
    try:
        asked = msgspec.convert(dict(sent), HubTextParameters, strict=True)
        for name, neutral in NOT_HERE.items():
            if getattr(asked, name) not in (None, *neutral):
                raise InputError(f"{name} is not available here.", param=f"/parameters/{name}")
        parameters = msgspec.convert(_ours(asked), TextGenerationParameters, strict=True)
    except msgspec.ValidationError as error:
        raise InputError(f"{error}, in the parameters.", param="/parameters") from error

    def answer(answer: Answer, example: Example) -> Any:
        assert isinstance(answer, TextGenerationAnswer)
        prompt = "".join(map(str, example.values())) if asked.return_full_text else ""
        output: dict[str, Any] = {"generated_text": prompt + answer.text}
        if asked.details:
            output["details"] = _details(answer)
        return output

    return GrowingHubQuestion(parameters, answer, _event)


def _ours(asked: HubTextParameters) -> dict[str, Any]:
    ways = (asked.temperature, asked.top_k, asked.top_p)
    draws = asked.do_sample if asked.do_sample is not None else any(way is not None for way in ways)
    ours = {
        "max_tokens": asked.max_new_tokens,
        "temperature": asked.temperature if draws else 0.0,
        "top_k": asked.top_k,
        "top_p": asked.top_p,
        "seed": asked.seed,
        "stop": tuple(asked.stop or ()),
        "logprobs": asked.top_n_tokens or 0,
        "repetition_penalty": asked.repetition_penalty,
        "frequency_penalty": asked.frequency_penalty,
    }
    return {name: value for name, value in ours.items() if value is not None}


def _details(answer: TextGenerationAnswer) -> dict[str, Any]:
    tokens = [_token(token, token.text) for token in answer.tokens]
    return {
        "finish_reason": FINISH_REASONS[answer.finish_reason or "length"],
        "generated_tokens": answer.completion_tokens,
        "prefill": [],
        "seed": answer.seed,
        "tokens": tokens,
        "top_tokens": [_alternatives(token) for token in answer.tokens],
    }


def _event(number: int, piece: Piece, answer: Answer | None) -> Any:
    assert isinstance(piece, TextPiece)
    assert piece.token is not None
    # The client joins the tokens' texts: what the piece adds is told, not half a character of its token.
    event: dict[str, Any] = {"index": number, "token": _token(piece.token, piece.text)}
    event["top_tokens"] = _alternatives(piece.token)
    event["generated_text"] = event["details"] = None
    if isinstance(answer, TextGenerationAnswer):
        event["generated_text"] = answer.text
        event["details"] = {
            "finish_reason": FINISH_REASONS[answer.finish_reason or "length"],
            "generated_tokens": answer.completion_tokens,
            "input_length": answer.prompt_tokens,
            "seed": answer.seed,
        }
    return event


def _token(token: Token, text: str) -> dict[str, Any]:
    return {"id": token.id, "text": text, "logprob": token.logprob, "special": token.is_special}


def _alternatives(token: Token) -> list[dict[str, Any]]:
    return [_alternative(other) for other in token.alternatives]


def _alternative(other: Alternative) -> dict[str, Any]:
    return {"id": other.id, "text": other.text, "logprob": other.logprob, "special": False}
