"""OpenAI's embeddings: vectors of texts, from any sentence-embedding model."""

from __future__ import annotations

import base64
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta

from servery.errors import InputError
from servery.gateway.message import Request, Response
from servery.gateway.openai.body import (
    InputText,
    OpenAiRequest,
    TokenUsage,
    ask_model,
    characters,
    version_headers,
)
from servery.gateway.openai.dialect import as_openai, openai_error
from servery.gateway.openapi import MOST_VALUES
from servery.gateway.permission import Permission
from servery.gateway.prediction import Asked, asked_json
from servery.gateway.route import Route
from servery.serving.replica import Replica
from servery.tasks.sentence_embedding import SENTENCE_EMBEDDING, EmbeddingAnswer
from servery.tasks.task import Answer

TASKS = (SENTENCE_EMBEDDING.name,)

_Token = Annotated[int, Meta(ge=0, le=2**31)]
_Tokens = Annotated[list[_Token], Meta(max_length=MOST_VALUES)]
_Inputs = Annotated[list[InputText | _Token | _Tokens], Meta(min_length=1, max_length=MOST_VALUES)]


class EmbeddingRequest(OpenAiRequest, kw_only=True):
    """Texts to embed.

    Attributes:
        input: A text or a list of texts. Lists of token numbers are refused: they are of some other model's tokenizer.
        encoding_format: "float" for lists of numbers, "base64" for float32 in little-endian order.
        dimensions: The size of the model's own vectors, or nothing.
    """

    input: InputText | _Inputs
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Meta(ge=1, le=100_000)] | None = None


class EmbeddingObject(msgspec.Struct):
    """One vector, and the place of its text."""

    index: int
    embedding: list[float] | str
    object: Literal["embedding"] = "embedding"


class EmbeddingResponse(msgspec.Struct):
    """The vectors, one a text, in the order of the texts."""

    model: str
    data: list[EmbeddingObject]
    usage: TokenUsage
    object: Literal["list"] = "list"


@as_openai
async def embed(request: Request) -> Response:
    """Answer a vector a text."""
    asked: EmbeddingRequest = await request.json(EmbeddingRequest)
    parameters: dict[str, Any] = {} if asked.dimensions is None else {"dimensions": asked.dimensions}
    texts = _texts(asked.input)

    def read(replica: Replica) -> Asked:
        return asked_json(texts, parameters, replica)

    predicted = await ask_model(request, asked.model, TASKS, read, "/input", characters(texts))
    answers = predicted.answered.answers
    tokens = SENTENCE_EMBEDDING.units_of(answers)
    return Response.json(
        EmbeddingResponse(
            model=predicted.replica.version.reference,
            data=[
                EmbeddingObject(place, _encoded(answer, asked.encoding_format))
                for place, answer in enumerate(answers)
            ],
            usage=TokenUsage(tokens, tokens),
        ),
        headers=version_headers(predicted),
    )


def _texts(inputs: Any) -> Any:
    if isinstance(inputs, list) and not all(isinstance(text, str) for text in inputs):
        place = next(place for place, value in enumerate(inputs) if not isinstance(value, str))
        raise InputError(
            "The input holds token numbers; this server cannot know of which tokenizer.",
            hint="send the texts (LangChain: check_embedding_ctx_length=False)",
            param=f"/input/{place}",
        )
    return inputs


def _encoded(answer: Answer, encoding_format: str) -> list[float] | str:
    assert isinstance(answer, EmbeddingAnswer)
    if encoding_format == "base64":
        return base64.b64encode(np.array(answer.embedding, "<f4").tobytes()).decode("ascii")
    return list(answer.embedding)


ROUTES = (
    Route(
        "POST",
        "/v1/embeddings",
        Permission.PREDICT,
        embed,
        "Embed texts, as OpenAI's clients ask",
        request=EmbeddingRequest,
        response=EmbeddingResponse,
        example={"model": "meaning", "input": ["a cat sleeps", "rain and wind"]},
        tags=("openai",),
        names_model_in_body=True,
        error_shape=openai_error,
        tasks=TASKS,
    ),
)
