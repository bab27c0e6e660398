"""OpenAI's completions: texts that go on where prompts end, from any text-generation model, whole or streamed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from servery.errors import InputError, TooLongError, UnsupportedParameterError
from servery.gateway.growing import Answers, Wanted
from servery.gateway.message import Request, Response
from servery.gateway.openai.body import InputText
from servery.gateway.openai.dialect import as_openai, openai_error
from servery.gateway.openai.generation import (
    FINISH_REASONS,
    MOST_CHOICES,
    TASKS,
    GenerationRequest,
    Head,
    Usage,
    answer_generation,
    framed,
    read_generation,
    token_name,
    usage_of,
)
from servery.gateway.openapi import MOST_VALUES
from servery.gateway.permission import Permission
from servery.gateway.route import Route
from servery.models.encoders.language import TOKENS
from servery.serving.grower import Grown
from servery.serving.replica import Replica
from servery.tasks.form import Example
from servery.tasks.generated_text import MOST_ALTERNATIVES, TextGenerationAnswer, TextPiece, Token

DEFAULT_TOKENS = 16
"""OpenAI's own default for this route."""
NEUTRAL: dict[str, Any] = {"echo": (False,), "suffix": ("",)}

_Number = Annotated[int, Meta(ge=0, le=2**31)]
_Numbers = Annotated[list[_Number], Meta(max_length=MOST_VALUES)]
_Prompts = Annotated[list[InputText | _Number | _Numbers], Meta(min_length=1, max_length=MOST_VALUES)]


class CompletionRequest(GenerationRequest, kw_only=True):
    """Prompts that go on.

    Attributes:
        prompt: A text, several, or the numbers of the model's own tokens, once or several times.
        logprobs: Tell the log of each token's chance, and so many of the likeliest at its place.
        best_of: At most `n`: all that are made are returned.
    """

    prompt: InputText | _Prompts | None = None
    logprobs: Annotated[int, Meta(ge=0, le=MOST_ALTERNATIVES)] | None = None
    best_of: Annotated[int, Meta(ge=0, le=MOST_CHOICES)] | None = None


class CompletionLogprobs(msgspec.Struct):
    """The tokens of an answer, side by side."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class CompletionChoice(msgspec.Struct):
    """One answer, or what it grew by."""

    index: int
    text: str
    finish_reason: str | None
    logprobs: CompletionLogprobs | None = None


class CompletionResponse(msgspec.Struct):
    """The answers, one a prompt and choice, in the order of the prompts."""

    id: str
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: Usage
    system_fingerprint: str
    object: Literal["text_completion"] = "text_completion"


@as_openai
async def complete(request: Request) -> Response:
    """Answer how prompts go on."""
    asked: CompletionRequest = await read_generation(request, CompletionRequest, NEUTRAL)
    if asked.best_of is not None and asked.best_of > asked.choices:
        raise UnsupportedParameterError(
            "Unsupported parameter: 'best_of' may not be above 'n': all answers that are made are returned.",
            param="/best_of",
        )
    head = Head.of(request, "cmpl", "text_completion")
    offsets: dict[int, int] = {}

    async def read(replica: Replica) -> list[Wanted]:
        return _wanted(asked, replica)

    def whole(answers: Answers) -> Any:
        choices = [_whole_choice(place, growth.answer, asked) for place, growth in enumerate(answers.growths)]
        return head.body(answers.replica, choices, usage=usage_of(answers))

    def choices(_: Answers, grown: Grown) -> list[Any]:
        assert isinstance(grown.piece, TextPiece)
        start = offsets.get(grown.place, 0)
        offsets[grown.place] = start + len(grown.piece.text)
        return _grown_choice(grown.place, grown.piece, start)

    return await answer_generation(request, asked, read, whole, framed(request, head, asked, choices))


def _wanted(asked: CompletionRequest, replica: Replica) -> list[Wanted]:
    prompts = _prompts(asked.prompt, replica)
    if len(prompts) * asked.choices > MOST_CHOICES:
        raise TooLongError(
            f"{len(prompts)} prompts with {asked.choices} answers each are more than {MOST_CHOICES} answers.",
            hint="send several requests",
            param="/n",
        )
    return [
        Wanted(
            prompt, asked.parameters(place, asked.max_tokens or DEFAULT_TOKENS, asked.logprobs), place == 0
        )
        for prompt in prompts
        for place in range(asked.choices)
    ]


def _prompts(prompt: Any, replica: Replica) -> list[Example]:
    texts = [prompt or ""] if prompt is None or isinstance(prompt, str) else prompt
    if all(isinstance(text, str) for text in texts):
        return replica.read(texts)
    if all(isinstance(number, int) for number in texts):
        return [{TOKENS: texts}]
    if all(isinstance(numbers, list) for numbers in texts):
        return [{TOKENS: numbers} for numbers in texts]
    raise InputError("The prompts must all be texts, or all be tokens.", param="/prompt")


def _whole_choice(place: int, answer: Any, asked: CompletionRequest) -> CompletionChoice:
    assert isinstance(answer, TextGenerationAnswer)
    logprobs = None if asked.logprobs is None else _logprobs(answer.tokens, 0)
    return CompletionChoice(place, answer.text, FINISH_REASONS[answer.finish_reason], logprobs)


def _grown_choice(place: int, piece: TextPiece, start: int) -> list[Any]:
    if not piece.text and piece.token is None and piece.finish_reason is None:
        return []  # half a character, or what may begin a stop text
    logprobs = None if piece.token is None else _logprobs((piece.token,), start)
    return [CompletionChoice(place, piece.text, FINISH_REASONS[piece.finish_reason], logprobs)]


def _logprobs(tokens: tuple[Token, ...], start: int) -> CompletionLogprobs:
    names = [token_name(token.text, token.bytes) for token in tokens]
    offsets = []
    for token in tokens:
        offsets.append(start)
        start += 0 if token.is_special else len(token.text)
    return CompletionLogprobs(
        tokens=names,
        token_logprobs=[token.logprob for token in tokens],
        top_logprobs=[
            {token_name(other.text, other.bytes): other.logprob for other in token.alternatives}
            for token in tokens
        ],
        text_offset=offsets,
    )


ROUTES = (
    Route(
        "POST",
        "/v1/completions",
        Permission.PREDICT,
        complete,
        "Continue texts, as OpenAI's clients ask",
        request=CompletionRequest,
        response=CompletionResponse,
        example={"model": "scribe", "prompt": "Once upon a time", "max_tokens": 8, "temperature": 0},
        tags=("openai",),
        names_model_in_body=True,
        error_shape=openai_error,
        tasks=TASKS,
        streams=True,
    ),
)
