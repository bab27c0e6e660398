"""OpenAI's transcriptions: what is said in a recording, as a form with a file, or as JSON with it in base64."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from servery.errors import InputError, ModelTaskError
from servery.gateway.capability import model_for
from servery.gateway.listening import Listening, Telling, listened
from servery.gateway.message import Request, Response
from servery.gateway.openai.body import (
    PROTOCOL,
    InputText,
    OpenAiRequest,
    ask_model,
    pointing_at,
    version_headers,
)
from servery.gateway.openai.dialect import as_openai, openai_error
from servery.gateway.openai.multipart import Part, parts_of
from servery.gateway.openai.transcripts import subtitles, usage_of, verbose
from servery.gateway.permission import Permission
from servery.gateway.prediction import (
    LARGE_BODY_BYTES,
    Asked,
    Predicted,
    asked_bytes,
    asked_json,
    content_type_of,
)
from servery.gateway.route import Route
from servery.gateway.sse import event
from servery.gateway.strict_json import converted
from servery.schemas import Text
from servery.serving.replica import Replica
from servery.tasks.transcription import TRANSCRIPTION, SpokenWord, TranscriptionAnswer

TASKS = (TRANSCRIPTION.name,)
GRANULARITIES = "timestamp_granularities"
WITHOUT_EFFECT = ("prompt", "language", "chunking_strategy")
"""What clients send to help models of other kinds; `x-warnings` says that it changed nothing."""


class TranscriptionOptions(OpenAiRequest, kw_only=True):
    """How a recording is transcribed.

    Attributes:
        response_format: "json", "text", "verbose_json" with times, or the subtitles "srt" and "vtt".
        timestamp_granularities: Of verbose JSON: the times of segments, words or both.
        stream: Whether the words come as events while the recording is being heard.
        temperature: 0: the models here read the best path.
        language: Told back in verbose JSON; it changes nothing else.
        prompt: Without effect.
        chunking_strategy: Without effect.
    """

    response_format: Literal["json", "text", "verbose_json", "srt", "vtt"] = "json"
    timestamp_granularities: Annotated[list[Literal["word", "segment"]], Meta(max_length=2)] = msgspec.field(
        default_factory=lambda: ["segment"]
    )
    stream: bool | None = None
    temperature: Annotated[float, Meta(ge=0, le=0)] | None = None
    language: Text | None = None
    prompt: InputText | None = None
    chunking_strategy: Text | None = None


class TranscriptionRequest(TranscriptionOptions, kw_only=True):
    """A recording in base64 and how it is transcribed; `file` is a part of its own where the body is a form."""

    file: InputText


@as_openai
async def transcribe(request: Request) -> Response:
    """Answer what is said in a recording."""
    options, file = await _read(request)

    def read(replica: Replica) -> Asked:
        if isinstance(file, str):
            return asked_json(file, None, replica)
        return asked_bytes(file.content, file.content_type, replica)

    size = len(file) if isinstance(file, str) else len(file.content)
    if options.stream:
        return await _streamed(request, options, read, size)
    predicted = await ask_model(request, options.model, TASKS, read, "/file", size)
    answer = predicted.answered.answers[0]
    assert isinstance(answer, TranscriptionAnswer)
    return _response(answer, options, _headers(predicted, options))


async def _read(request: Request) -> tuple[TranscriptionOptions, str | Part]:
    if content_type_of(request) == "application/json":
        asked: TranscriptionRequest = await request.json(TranscriptionRequest)
        return asked, asked.file
    body = await request.body()
    content_type = request.header("content-type") or ""
    if len(body) > LARGE_BODY_BYTES:
        return _from_form(await asyncio.to_thread(parts_of, body, content_type))
    return _from_form(parts_of(body, content_type))


def _from_form(parts: Sequence[Part]) -> tuple[TranscriptionOptions, Part]:
    files = [part for part in parts if part.name == "file"]
    if len(files) != 1:
        raise InputError(f"The form has {len(files)} parts named 'file'; send one recording.", param="file")
    fields: dict[str, Any] = {}
    for part in parts:
        name, is_list = part.name.removesuffix("[]"), part.name.endswith("[]")
        if part.name == "file":
            continue
        if is_list or name == GRANULARITIES:
            fields.setdefault(name, []).append(part.text)
        elif name in fields:
            raise InputError(f"The field {name[:100]!r} stands twice in the form.", param=name[:100])
        else:
            fields[name] = part.text
    return converted(fields, TranscriptionOptions, is_text=True), files[0]


def _headers(predicted: Predicted, options: TranscriptionOptions) -> list[tuple[bytes, bytes]]:
    unused = [f"{name}_ignored" for name in WITHOUT_EFFECT if getattr(options, name)]
    headers = version_headers(predicted)
    return [*headers, (b"x-warnings", ",".join(unused).encode())] if unused else headers


def _response(
    answer: TranscriptionAnswer, options: TranscriptionOptions, headers: list[tuple[bytes, bytes]]
) -> Response:
    match options.response_format:
        case "json":
            return Response.json({"text": answer.text, "usage": usage_of(answer)}, headers=headers)
        case "verbose_json":
            body = verbose(answer, options.language, options.timestamp_granularities)
            return Response.json(body, headers=headers)
        case "text":
            text = answer.text + "\n"
        case format_:
            text = subtitles(answer, format_)
    return Response(body=text.encode(), content_type="text/plain; charset=utf-8", headers=headers)


async def _streamed(
    request: Request, options: TranscriptionOptions, read: Callable[[Replica], Asked], size: int
) -> Response:
    def word(spoken: SpokenWord, before: int) -> bytes:
        delta = f" {spoken.word}" if before else spoken.word
        return event({"type": "transcript.text.delta", "delta": delta})

    def end(listening: Listening) -> bytes:
        return event({"type": "transcript.text.done", "text": listening.answer.text})

    await model_for(request, options.model, TASKS)
    telling = Telling(word, end, lambda predicted: _headers(predicted, options))
    with pointing_at("/file"):
        return await listened(request, PROTOCOL, options.model, read, size, telling)


@as_openai
async def translate(request: Request) -> Response:
    """Refuse: no model here translates speech."""
    raise ModelTaskError(
        "No model here translates speech.",
        hint="POST /v1/audio/transcriptions transcribes it in its own language.",
        param="model",
    )


SILENCE = (
    "UklGRkQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YSAAAACAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgA=="
)
"""A wav of 32 samples of silence."""

ROUTES = (
    Route(
        "POST",
        "/v1/audio/transcriptions",
        Permission.PREDICT,
        transcribe,
        "Transcribe a recording, as OpenAI's clients ask; as JSON or as a form",
        request=TranscriptionRequest,
        response={"description": "The text, in the format asked for."},
        example={"model": "tones", "file": SILENCE},
        tags=("openai",),
        names_model_in_body=True,
        error_shape=openai_error,
        tasks=TASKS,
    ),
    Route(
        "POST",
        "/v1/audio/translations",
        Permission.PREDICT,
        translate,
        "Refused: no model here translates speech",
        tags=("openai",),
        error_shape=openai_error,
    ),
)
