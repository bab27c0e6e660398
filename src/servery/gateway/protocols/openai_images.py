"""OpenAI's image generation: pictures from a prompt, from any image-generation model."""

from __future__ import annotations

import re
import time
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from servery.errors import InputError, ModelTaskError
from servery.gateway.message import Request, Response
from servery.gateway.openai.body import (
    InputText,
    OpenAiRequest,
    ask_model,
    version_headers,
)
from servery.gateway.openai.dialect import as_openai, openai_error
from servery.gateway.permission import Permission
from servery.gateway.prediction import Asked, asked_json
from servery.gateway.route import Route
from servery.schemas import Text
from servery.serving.replica import Replica
from servery.tasks.image_generation import IMAGE_GENERATION, LARGEST_SEED, MOST_IMAGES, SEED, ImageAnswer

TASKS = (IMAGE_GENERATION.name,)
OWN_SIZE = "auto"
_SIZE = re.compile(r"([1-9][0-9]{0,3})x([1-9][0-9]{0,3})")


class ImageRequest(OpenAiRequest, kw_only=True):
    """What to draw.

    Attributes:
        n: How many pictures.
        size: "64x64", or "auto" for the size that the model draws; it refuses others.
        response_format: "b64_json"; pictures are not kept, so "url" is refused.
        seed: The same seed gives the same pictures; not a field of OpenAI's, send it as an extra one.
        output_format: "png".
        quality: "auto" or "standard": there is one.
        background: "auto" or "opaque".
        stream: false.
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

    predicted = await ask_model(request, asked.model, TASKS, read, "/prompt")
    pictures = [answer for answer in predicted.answered.answers if isinstance(answer, ImageAnswer)]
    seeds = [example[SEED] for example in predicted.asked.examples]
    return Response.json(
        ImageResponse(
            created=int(time.time()),
            data=[ImageObject(picture.image, seed) for picture, seed in zip(pictures, seeds, strict=True)],
            size=f"{pictures[0].width}x{pictures[0].height}",
            output_format="png",
            usage={**_NO_TOKENS, "images": len(pictures)},
        ),
        headers=version_headers(predicted),
    )


_NO_TOKENS = {
    "input_tokens": 0,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
    "output_tokens": 0,
    "total_tokens": 0,
}


def _parameters(asked: ImageRequest) -> dict[str, Any]:
    if asked.response_format == "url":
        raise InputError(
            "This server keeps no pictures, so it has no addresses for them.",
            hint='send "response_format": "b64_json"',
            param="/response_format",
        )
    if asked.stream:
        raise InputError("Pictures here come at once, not as a stream.", param="/stream")
    parameters: dict[str, Any] = {"n": asked.n or 1, "seed": asked.seed}
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
    ),
    _refused("/v1/images/edits"),
    _refused("/v1/images/variations"),
)
