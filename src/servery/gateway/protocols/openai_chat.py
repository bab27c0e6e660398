"""OpenAI's chat completions: the next message of a conversation, from any text-generation model, whole or streamed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from servery.errors import InputError, TooLongError
from servery.gateway.growing import Answers, Wanted
from servery.gateway.message import Request, Response
from servery.gateway.openai.body import InputText
from servery.gateway.openai.dialect import as_openai, openai_error
from servery.gateway.openai.generation import (
    FINISH_REASONS,
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
from servery.gateway.permission import Permission
from servery.gateway.route import Route
from servery.models.encoders.language import MESSAGES
from servery.serving.grower import Grown
from servery.serving.replica import Replica
from servery.tasks.generated_text import (
    MOST_ALTERNATIVES,
    MOST_TOKENS,
    TextGenerationAnswer,
    TextPiece,
    Token,
)

MOST_MESSAGES = 2048
NEUTRAL: dict[str, Any] = {
    "audio": (),
    "function_call": ("none", "auto"),
    "functions": ([],),
    "modalities": (["text"],),
    "moderation": (),
    "prediction": (),
    "reasoning_effort": ("none",),
    "response_format": ({"type": "text"},),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "verbosity": ("medium",),
    "web_search_options": (),
}
ROLES = {"developer": "system"}
"""Roles that models know by another name."""


class TextPart(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A part of a message; only texts are read."""

    text: InputText
    type: Literal["text"]


class ChatMessage(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One message of the conversation; `name` is handed to the model's template."""

    role: Literal["system", "developer", "user", "assistant"]
    content: InputText | Annotated[list[TextPart], Meta(max_length=MOST_MESSAGES)]
    name: Annotated[str, Meta(max_length=256)] | None = None


class ChatRequest(GenerationRequest, kw_only=True):
    """A conversation that goes on.

    Attributes:
        messages: So far, the oldest first.
        max_completion_tokens: Most tokens of the answer; without it as many as the context has room for.
        max_tokens: OpenAI's older name of the same.
        logprobs: Whether to tell the log of each token's chance.
        top_logprobs: With it, so many of the likeliest tokens at each place.
    """

    messages: Annotated[list[ChatMessage], Meta(min_length=1, max_length=MOST_MESSAGES)]
    max_completion_tokens: Annotated[int, Meta(ge=1, le=MOST_TOKENS)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=MOST_ALTERNATIVES)] | None = None


class TokenLogprob(msgspec.Struct):
    """A token with its chance."""

    token: str
    logprob: float
    bytes: list[int]


class ChosenLogprob(TokenLogprob):
    """The token that was chosen, with the likeliest at its place."""

    top_logprobs: list[TokenLogprob]


class ChatLogprobs(msgspec.Struct):
    """The tokens of an answer."""

    content: list[ChosenLogprob]
    refusal: None = None


class AssistantMessage(msgspec.Struct):
    """The answer."""

    content: str
    role: Literal["assistant"] = "assistant"
    refusal: None = None


class ChatChoice(msgspec.Struct):
    """One answer."""

    index: int
    message: AssistantMessage
    finish_reason: str | None
    logprobs: ChatLogprobs | None = None


class Delta(msgspec.Struct, omit_defaults=True):
    """What an answer grew by."""

    role: str | None = None
    content: str | None = None


class GrownChoice(msgspec.Struct):
    """What one of the answers grew by."""

    index: int
    delta: Delta
    finish_reason: str | None = None
    logprobs: ChatLogprobs | None = None


class ChatResponse(msgspec.Struct):
    """The answers."""

    id: str
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage
    system_fingerprint: str
    object: Literal["chat.completion"] = "chat.completion"


@as_openai
async def chat(request: Request) -> Response:
    """Answer a conversation's next message."""
    asked: ChatRequest = await read_generation(request, ChatRequest, NEUTRAL)
    if asked.top_logprobs is not None and not asked.logprobs:
        raise InputError("top_logprobs needs logprobs to be true.", param="/top_logprobs")
    head = Head.of(request, "chatcmpl", "chat.completion.chunk" if asked.stream else "chat.completion")

    async def read(replica: Replica) -> list[Wanted]:
        return _wanted(asked, replica)

    def whole(answers: Answers) -> Any:
        choices = [_whole_choice(place, growth.answer, asked) for place, growth in enumerate(answers.growths)]
        return head.body(answers.replica, choices, usage=usage_of(answers))

    def choices(_: Answers, grown: Grown) -> list[Any]:
        assert isinstance(grown.piece, TextPiece)
        return _grown_choices(grown.place, grown.piece)

    def start(_: Answers) -> list[Any]:
        return [GrownChoice(place, Delta("assistant", "")) for place in range(asked.choices)]

    return await answer_generation(request, asked, read, whole, framed(request, head, asked, choices, start))


def _wanted(asked: ChatRequest, replica: Replica) -> list[Wanted]:
    messages = [_message(message) for message in asked.messages]
    size, most = sum(len(message["content"]) for message in messages), replica.limits.max_text_characters
    if size > most:
        raise TooLongError(
            f"The messages have {size:,} characters; this model accepts {most:,}.", param="/messages"
        )
    max_tokens = asked.max_completion_tokens or asked.max_tokens
    logprobs = (asked.top_logprobs or 0) if asked.logprobs else None
    return [
        Wanted({MESSAGES: messages}, asked.parameters(place, max_tokens, logprobs), place == 0)
        for place in range(asked.choices)
    ]


def _message(message: ChatMessage) -> dict[str, str]:
    content = message.content
    text = content if isinstance(content, str) else "".join(part.text for part in content)
    named = {} if message.name is None else {"name": message.name}
    return {"role": ROLES.get(message.role, message.role), "content": text, **named}


def _whole_choice(place: int, answer: Any, asked: ChatRequest) -> ChatChoice:
    assert isinstance(answer, TextGenerationAnswer)
    logprobs = ChatLogprobs([_chosen(token) for token in answer.tokens]) if asked.logprobs else None
    return ChatChoice(place, AssistantMessage(answer.text), FINISH_REASONS[answer.finish_reason], logprobs)


def _grown_choices(place: int, piece: TextPiece) -> list[Any]:
    choices = []
    if piece.text or piece.token is not None:
        logprobs = None if piece.token is None else ChatLogprobs([_chosen(piece.token)])
        choices.append(GrownChoice(place, Delta(content=piece.text), logprobs=logprobs))
    if piece.finish_reason is not None:
        choices.append(GrownChoice(place, Delta(), FINISH_REASONS[piece.finish_reason]))
    return choices


def _chosen(token: Token) -> ChosenLogprob:
    others = [
        TokenLogprob(token_name(other.text, other.bytes), other.logprob, list(other.bytes))
        for other in token.alternatives
    ]
    return ChosenLogprob(token_name(token.text, token.bytes), token.logprob, list(token.bytes), others)


ROUTES = tuple(
    Route(
        "POST",
        path,
        Permission.PREDICT,
        chat,
        summary,
        request=ChatRequest,
        response=ChatResponse,
        example={
            "model": "scribe",
            "messages": [{"role": "user", "content": "Tell me a story."}],
            "max_completion_tokens": 8,
        },
        tags=("openai",),
        names_model_in_body="{model}" not in path,
        error_shape=openai_error,
        tasks=TASKS,
        streams=True,
    )
    for path, summary in (
        ("/v1/chat/completions", "Continue a conversation, as OpenAI's clients ask"),
        (
            "/v1/models/{model}/v1/chat/completions",
            "Continue a conversation, as the Hub's clients ask one model's own address",
        ),
    )
)
