"""What OpenAI's completions and chat completions share: what may be asked, how it is read and streamed, usage."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from servery.errors import InputError, MalformedError, ServeryError, UnsupportedParameterError
from servery.gateway.capability import model_for
from servery.gateway.growing import Answers, Events, Read, streamed, whole_answers
from servery.gateway.message import Request, Response
from servery.gateway.openai.body import PROTOCOL
from servery.gateway.prediction import LARGE_BODY_BYTES
from servery.gateway.sse import event
from servery.gateway.strict_json import converted, decoded
from servery.schemas import Reference
from servery.serving.grower import Grown
from servery.serving.replica import Replica
from servery.tasks.generated_text import (
    MOST_TOKENS,
    Bias,
    FinishReason,
    Stop,
    TextGenerationParameters,
    TokenName,
)
from servery.tasks.text_generation import TEXT_GENERATION

TASKS = (TEXT_GENERATION.name,)
MOST_CHOICES = 128
"""Answers of one request."""
DONE = b"data: [DONE]\n\n"
FINISH_REASONS: Mapping[FinishReason | None, str | None] = {
    "end": "stop",
    "stop": "stop",
    "length": "length",
    None: None,
}
HARMLESS = frozenset(
    {
        "metadata",
        "parallel_tool_calls",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "safety_identifier",
        "service_tier",
        "store",
        "user",
    }
)
"""Read as OpenAI reads them, and without effect here."""

Nothing = None | bool | int | float | str | list[Any] | dict[str, Any]


class StreamOptions(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Whether the last event before the end tells the usage; obfuscation has no effect."""

    include_usage: bool = False
    include_obfuscation: bool = False


class GenerationRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What both kinds of completions may ask.

    Attributes:
        n: Answers to each prompt; with a seed, answer k has the seed plus k.
        stop: Texts before which an answer ends.
        stream: Whether the answer comes in pieces.
        logit_bias: Number of a token to what is added to its logit.
        top_k: Draw only from this many of the likeliest tokens; not OpenAI's.
        repetition_penalty: Above 1, tokens of prompt and answer come less likely again; not OpenAI's.
    """

    model: Reference
    n: Annotated[int, Meta(ge=1, le=MOST_CHOICES)] | None = None
    max_tokens: Annotated[int, Meta(ge=1, le=MOST_TOKENS)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    stop: Stop | Annotated[list[Stop], Meta(max_length=16)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    logit_bias: Annotated[dict[TokenName, Bias], Meta(max_length=1024)] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    top_k: Annotated[int, Meta(ge=1, le=MOST_TOKENS)] | None = None
    repetition_penalty: Annotated[float, Meta(ge=0.01, le=100)] | None = None

    @property
    def choices(self) -> int:
        """Answers to each prompt."""
        return self.n or 1

    def parameters(
        self, place: int, max_tokens: int | None, logprobs: int | None
    ) -> TextGenerationParameters:
        """Return what is asked of the answer at a place among those to one prompt."""
        asked = {
            "temperature": self.temperature,
            "top_p": self.top_p,
            "top_k": self.top_k,
            "seed": None if self.seed is None else (self.seed + place + 2**63) % 2**64 - 2**63,
            "stop": tuple(self.stop) if isinstance(self.stop, list) else self.stop,
            "repetition_penalty": self.repetition_penalty,
            "frequency_penalty": self.frequency_penalty,
            "presence_penalty": self.presence_penalty,
            "logit_bias": self.logit_bias,
            "max_tokens": max_tokens,
            "logprobs": logprobs,
        }
        return TextGenerationParameters(**{k: v for k, v in asked.items() if v is not None})  # type: ignore[arg-type]


class Usage(msgspec.Struct):
    """Tokens of the prompts, each counted once, and of all answers."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


def usage_of(answers: Answers) -> Usage:
    """Return what answers count as so far."""
    prompt, grown = answers.prompt_units, answers.grown_units
    return Usage(prompt, grown, prompt + grown)


@dataclass(frozen=True)
class Head:
    """What every answer and every event of a request has alike."""

    id: str
    created: int
    kind: str

    @classmethod
    def of(cls, request: Request, prefix: str, kind: str) -> Head:
        """Return the head of a request's answer.

        Args:
            request: Its id is part of the answer's.
            prefix: Of the answer's id, e.g. "chatcmpl".
            kind: What the answer's `object` says.
        """
        return cls(f"{prefix}-{request.id}", int(time.time()), kind)

    def body(self, replica: Replica, choices: list[Any], **more: Any) -> dict[str, Any]:
        """Return an answer or an event with these choices."""
        return {
            "id": self.id,
            "object": self.kind,
            "created": self.created,
            "model": replica.version.reference,
            "system_fingerprint": f"fp_{replica.version.digest[:12]}",
            "choices": choices,
            **more,
        }


async def read_generation(
    request: Request, of: type[GenerationRequest], neutral: Mapping[str, tuple[Nothing, ...]]
) -> Any:
    """Read the body, without what has no effect here.

    Args:
        request: Who asks.
        of: The kind of body.
        neutral: Names that OpenAI knows and no model here does, with the values that ask for nothing.

    Raises:
        UnsupportedParameterError: One of them is asked for.
        InputError: The body is not of that kind.
    """
    body = await request.body()
    value = await asyncio.to_thread(decoded, body) if len(body) > LARGE_BODY_BYTES else decoded(body)
    if not isinstance(value, dict):
        raise MalformedError('The body must be an object with "model".', hint='{"model": ..., ...}')
    for name in [name for name in value if name in neutral or name in HARMLESS]:
        sent = value.pop(name)
        if name in neutral and sent is not None and sent not in neutral[name]:
            raise UnsupportedParameterError(
                f"Unsupported parameter: '{name}' is not available with this server's models.",
                hint=f"leave {name} out",
                param=f"/{name}",
            )
    asked = converted(value, of)
    if asked.stream_options is not None and not asked.stream:
        raise InputError("stream_options is only for a stream.", param="/stream_options")
    return asked


async def answer_generation(
    request: Request,
    asked: GenerationRequest,
    read: Read,
    whole: Callable[[Answers], Any],
    events: Events,
) -> Response:
    """Answer all at once or piece by piece, as the body says.

    Args:
        request: Who asks.
        asked: The body.
        read: Reads what is wanted, once the model is known.
        whole: Makes the answer when all is there.
        events: Tells the stream.

    Raises:
        ModelTaskError: The model cannot generate; the hint names those that can.
        ServeryError: See `Answers.pieces`.
    """
    reference = request.parameters.get("model", asked.model)
    await model_for(request, reference, TASKS)
    if asked.stream:
        return await streamed(request, PROTOCOL, reference, read, events)
    answers = await whole_answers(request, PROTOCOL, reference, read)
    headers = [(b"x-model-version", answers.replica.version.reference.encode())]
    return Response.json(whole(answers), headers=headers)


def framed(
    request: Request,
    head: Head,
    asked: GenerationRequest,
    choices: Callable[[Answers, Grown], list[Any]],
    start: Callable[[Answers], list[Any]] | None = None,
) -> Events:
    """Return how a stream is told: an event a choice, the usage if it is asked for, and the end.

    Args:
        request: Whose errors are told.
        head: Of every event.
        asked: The body.
        choices: Makes the choices of a piece, each sent as an event.
        start: Makes those that come before the first piece.
    """
    tells_usage = asked.stream_options is not None and asked.stream_options.include_usage
    more: dict[str, Any] = {"usage": None} if tells_usage else {}

    def told(answers: Answers, made: list[Any]) -> bytes:
        return b"".join([event(head.body(answers.replica, [choice], **more)) for choice in made])

    def end(answers: Answers) -> bytes:
        usage = event(head.body(answers.replica, [], usage=usage_of(answers))) if tells_usage else b""
        return usage + DONE

    def error(error: ServeryError) -> bytes:
        return event(request.error_shape(error, request.id)) + DONE

    return Events(
        piece=lambda answers, grown: told(answers, choices(answers, grown)),
        end=end,
        error=error,
        start=None if start is None else lambda answers: told(answers, start(answers)),
    )


def token_name(text: str, raw: tuple[int, ...]) -> str:
    r"""Return a token as OpenAI writes it: half a character by its bytes.

    >>> token_name("\ufffd", (0xE4, 0xB8))
    'bytes:\\xe4\\xb8'
    """
    return text if bytes(raw) == text.encode() else "bytes:" + "".join(f"\\x{byte:02x}" for byte in raw)
