"""OpenAI's image generation: pictures from a prompt, from any image-generation model."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from servery.errors import InputError, ModelTaskError, ServeryError
from servery.gateway.capability import model_for
from servery.gateway.growing import Answers, Events, Wanted, streamed
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
from servery.gateway.permission import Permission
from servery.gateway.prediction import Asked, ask, asked_json
from servery.gateway.route import Route
from servery.gateway.sse import CONTENT_TYPE, HEADERS, event
from servery.schemas import Text
from servery.serving.grower import Grown
from servery.serving.replica import Replica
from servery.tasks.image_generation import (
    IMAGE_GENERATION,
    LARGEST_GUIDANCE,
    LARGEST_SEED,
    MOST_IMAGES,
    MOST_STEPS,
    SEED,
    ImageAnswer,
    ImagePiece,
)

TASKS = (IMAGE_GENERATION.name,)
OWN_SIZE = "auto"
MOST_PARTIAL_IMAGES = 3
_SIZE = re.compile(r"([1-9][0-9]{0,3})x([1-9][0-9]{0,3})")


class ImageRequest(OpenAiRequest, kw_only=True):
    """What to draw.

    Attributes:
        n: How many pictures.
        partial_images: Of a stream: how often each picture is shown while it is drawn, by a model that draws in steps.
        size: "64x64", or "auto" for the size that the model draws; it refuses others.
        response_format: "b64_json"; pictures are not kept, so "url" is refused.
        seed: The same seed gives the same pictures; not a field of OpenAI's, send it as an extra one.
        output_format: "png".
        quality: "auto" or "standard": there is one.
        background: "auto" or "opaque".
        stream: Whether pictures come as events, each as soon as it is there.
        steps: Steps from noise to picture, of a model that draws in steps; not a field of OpenAI's.
        guidance_scale: How closely such a model follows its prompt; not a field of OpenAI's.
    """

    prompt: InputText
    n: Annotated[int, Meta(ge=1, le=MOST_IMAGES)] | None = None
    size: Text | None = None
    response_format: Literal["b64_json", "url"] | None = None
    seed: Annotated[int, Meta(ge=0, le=LARGEST_SEED)] | None = None
    output_format: Literal["png"] | None = None
    quality: Literal["auto", "standard"] | None = None
    background: Literal["auto", "opaque"] | None = None
    stream: bool | None = None
    partial_images: Annotated[int, Meta(ge=0, le=MOST_PARTIAL_IMAGES)] | None = None
    steps: Annotated[int, Meta(ge=1, le=MOST_STEPS)] | None = None
    guidance_scale: Annotated[float, Meta(ge=0, le=LARGEST_GUIDANCE)] | None = None
    safety_identifier: Text | None = None


class ImageObject(msgspec.Struct):
    """One PNG in base64, and the seed that draws it again."""

    b64_json: str
    seed: int


class ImageResponse(msgspec.Struct):
    """The pictures. They are billed by number, in `usage.images`; no tokens are counted."""

    created: int
    data: list[ImageObject]
    size: str
    output_format: str
    usage: dict[str, Any]


@as_openai
async def generate(request: Request) -> Response:
    """Answer pictures of a prompt."""
    asked: ImageRequest = await request.json(ImageRequest)
    parameters = _parameters(asked)

    def read(replica: Replica) -> Asked:
        return asked_json(asked.prompt, parameters, replica)

    if asked.stream:
        return await _streamed(request, asked, read)
    predicted = await ask_model(request, asked.model, TASKS, read, "/prompt")
    pictures = [answer for answer in predicted.answered.answers if isinstance(answer, ImageAnswer)]
    seeds = [example[SEED] for example in predicted.asked.examples]
    return Response.json(
        ImageResponse(
            created=int(time.time()),
            data=[ImageObject(picture.image, seed) for picture, seed in zip(pictures, seeds, strict=True)],
            size=f"{pictures[0].width}x{pictures[0].height}",
            output_format="png",
            usage=_usage(len(pictures)),
        ),
        headers=version_headers(predicted),
    )


_NO_TOKENS = {
    "input_tokens": 0,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
    "output_tokens": 0,
    "total_tokens": 0,
}


async def _streamed(request: Request, asked: ImageRequest, read: Callable[[Replica], Asked]) -> Response:
    """Answer with an event a picture, and events of pictures under way where the model draws in steps."""
    await model_for(request, asked.model, TASKS)
    with pointing_at("/prompt"):
        if (await request.gateway.engine.replica(asked.model)).grower is not None:
            return await _while_drawn(request, asked, read)
        predicted = await ask(request, PROTOCOL, asked.model, _awaitable(read))

    async def events() -> AsyncGenerator[bytes]:
        for answer in predicted.answered.answers:
            assert isinstance(answer, ImageAnswer)
            yield _event("completed", answer, usage=_usage(1))

    headers = [*version_headers(predicted), *HEADERS]
    return Response(content_type=CONTENT_TYPE, headers=headers, stream=events())


async def _while_drawn(request: Request, asked: ImageRequest, read: Callable[[Replica], Asked]) -> Response:
    shown: Counter[int] = Counter()

    async def wanted(replica: Replica) -> list[Wanted]:
        told = read(replica)
        return [Wanted(example, told.parameters) for example in told.examples]

    def piece(answers: Answers, grown: Grown) -> bytes:
        assert isinstance(grown.piece, ImagePiece)
        told = b""
        if grown.piece.preview is not None:
            told = _event("partial_image", grown.piece.preview, partial_image_index=shown[grown.place])
            shown[grown.place] += 1
        if grown.is_last:
            answer = answers.growths[grown.place].answer
            assert isinstance(answer, ImageAnswer)
            told += _event("completed", answer, usage=_usage(1))
        return told

    def error(error: ServeryError) -> bytes:
        return event({"type": "error", **request.error_shape(error, request.id)}, "error")

    events = Events(piece, lambda _: b"", error)
    return await streamed(request, PROTOCOL, asked.model, wanted, events)


def _event(name: str, picture: ImageAnswer, **more: Any) -> bytes:
    """Return a picture as one of OpenAI's events."""
    kind = f"image_generation.{name}"
    body = {
        "type": kind,
        "b64_json": picture.image,
        "created_at": int(time.time()),
        "size": f"{picture.width}x{picture.height}",
        "quality": "auto",
        "background": "auto",
        "output_format": "png",
        **more,
    }
    return event(body, kind)


def _awaitable(read: Callable[[Replica], Asked]) -> Callable[[Replica], Awaitable[Asked]]:
    async def read_here(replica: Replica) -> Asked:
        return read(replica)

    return read_here


def _usage(images: int) -> dict[str, Any]:
    return {**_NO_TOKENS, "images": images}


def _parameters(asked: ImageRequest) -> dict[str, Any]:
    if asked.response_format == "url":
        raise InputError(
            "This server keeps no pictures, so it has no addresses for them.",
            hint='send "response_format": "b64_json"',
            param="/response_format",
        )
    if asked.partial_images and not asked.stream:
        raise InputError("partial_images is only for a stream.", param="/partial_images")
    parameters: dict[str, Any] = {
        "n": asked.n or 1,
        "seed": asked.seed,
        "previews": asked.partial_images or 0,
        "steps": asked.steps,
        "guidance_scale": asked.guidance_scale,
    }
    if asked.size not in (None, OWN_SIZE):
        found = _SIZE.fullmatch(str(asked.size))
        if found is None:
            raise InputError(f"The size is {asked.size!r}; expected e.g. '64x64' or 'auto'.", param="/size")
        parameters |= {"width": int(found[1]), "height": int(found[2])}
    return parameters


@as_openai
async def edit(request: Request) -> Response:
    """Refuse: no model here changes pictures."""
    raise ModelTaskError(
        "No model here changes pictures.",
        hint="POST /v1/images/generations draws new ones.",
        param="model",
    )


def _refused(path: str) -> Route:
    return Route(
        "POST",
        path,
        Permission.PREDICT,
        edit,
        "Refused: no model here changes pictures",
        tags=("openai",),
        error_shape=openai_error,
    )


ROUTES = (
    Route(
        "POST",
        "/v1/images/generations",
        Permission.PREDICT,
        generate,
        "Draw pictures of a prompt, as OpenAI's clients ask",
        request=ImageRequest,
        response=ImageResponse,
        example={"model": "shapes", "prompt": "a circle", "seed": 7},
        tags=("openai",),
        names_model_in_body=True,
        error_shape=openai_error,
        tasks=TASKS,
        streams=True,
    ),
    _refused("/v1/images/edits"),
    _refused("/v1/images/variations"),
)
