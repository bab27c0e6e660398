"""OpenAI's moderations, from classifiers: is there anything in a text or picture that nobody wants?"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from servery.errors import InputError
from servery.gateway.message import Request, Response
from servery.gateway.openai.body import (
    InputText,
    OpenAiRequest,
    ask_model,
    characters,
    version_headers,
)
from servery.gateway.openai.categories import moderation_of, unwanted_labels
from servery.gateway.openai.dialect import as_openai, openai_error
from servery.gateway.openapi import MOST_VALUES
from servery.gateway.permission import Permission
from servery.gateway.prediction import Asked, asked_json
from servery.gateway.route import Route
from servery.schemas import Names
from servery.serving.replica import Replica
from servery.tasks.classification import CLASSIFICATION
from servery.tasks.multi_label_classification import MULTI_LABEL_CLASSIFICATION

TASKS = (MULTI_LABEL_CLASSIFICATION.name, CLASSIFICATION.name)


class ImageUrl(msgspec.Struct, forbid_unknown_fields=True):
    """A picture as a data: URI; addresses are not fetched."""

    url: InputText


class InputPart(msgspec.Struct, forbid_unknown_fields=True):
    """One text or picture."""

    type: Literal["text", "image_url"]
    text: InputText | None = None
    image_url: ImageUrl | None = None


class ModerationRequest(OpenAiRequest, kw_only=True):
    """What to judge.

    Attributes:
        input: A text, a list of texts, or a list with one part: a text or a picture.
        unwanted: Labels of the model that mean something unwanted; else all of a multi-label model, and of another
            those that are OpenAI's categories.
    """

    input: InputText | Annotated[list[InputText | InputPart], Meta(min_length=1, max_length=MOST_VALUES)]
    unwanted: Names | None = None


class ModerationResponse(msgspec.Struct):
    """The results, one an input, in their order; `usage` is in the model's own unit."""

    id: str
    model: str
    results: list[dict[str, Any]]
    usage: dict[str, float]


@as_openai
async def moderate(request: Request) -> Response:
    """Answer which unwanted things are in the inputs."""
    asked: ModerationRequest = await request.json(ModerationRequest)
    inputs, kind = _inputs(asked.input)
    unwanted: frozenset[str] = frozenset()

    def read(replica: Replica) -> Asked:
        nonlocal unwanted
        unwanted = unwanted_labels(replica.task.name, replica.predictor.signature.labels, asked.unwanted)
        return asked_json(inputs, None, replica)

    predicted = await ask_model(request, asked.model, TASKS, read, "/input", characters(inputs))
    return Response.json(
        ModerationResponse(
            id=request.id,
            model=predicted.replica.version.reference,
            results=[moderation_of(answer, unwanted, kind) for answer in predicted.answered.answers],
            usage=predicted.usage,
        ),
        headers=version_headers(predicted),
    )


def _inputs(inputs: Any) -> tuple[Any, str]:
    parts = [part for part in inputs if isinstance(part, InputPart)] if isinstance(inputs, list) else []
    if not parts:
        return inputs, "text"
    if len(inputs) > 1:
        raise InputError(
            f"The input has {len(inputs)} parts; a model here judges one text or one picture at a time.",
            hint="send a list of texts for a result each, or several requests",
            param="/input/1",
        )
    part = parts[0]
    if part.type == "text" and part.text is not None:
        return part.text, "text"
    if part.type == "image_url" and part.image_url is not None:
        return part.image_url.url, "image"
    raise InputError(f"The part of type {part.type!r} has no {part.type!r}.", param=f"/input/0/{part.type}")


ROUTES = (
    Route(
        "POST",
        "/v1/moderations",
        Permission.PREDICT,
        moderate,
        "Find what is unwanted, as OpenAI's clients ask",
        request=ModerationRequest,
        response=ModerationResponse,
        example={"model": "unwanted", "input": "buy cheap pills now"},
        tags=("openai",),
        names_model_in_body=True,
        error_shape=openai_error,
        tasks=TASKS,
    ),
)
