"""Reranking and scoring, as the clients of Cohere, Jina and vLLM ask: which document answers a query best?

Models that read query and document together (text ranking) score from 0 to 1; of sentence-embedding models the
score is the cosine of two vectors, from -1 to 1. The answer says which.
"""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from servery.gateway.message import Request, Response
from servery.gateway.openai.body import (
    InputText,
    InputTexts,
    OpenAiRequest,
    TokenUsage,
    ask_model,
    characters,
    version_headers,
)
from servery.gateway.openai.dialect import as_openai, openai_error
from servery.gateway.openapi import MOST_VALUES
from servery.gateway.permission import Permission
from servery.gateway.prediction import Asked, Predicted, asked_json
from servery.gateway.route import Route
from servery.serving.replica import Replica
from servery.tasks.sentence_embedding import SENTENCE_EMBEDDING, similarities
from servery.tasks.text_ranking import TEXT_RANKING, RankingAnswer

TASKS = (TEXT_RANKING.name, SENTENCE_EMBEDDING.name)
CROSS_ENCODER, COSINE = "cross-encoder", "cosine of embeddings"


class TextObject(msgspec.Struct, forbid_unknown_fields=True):
    """A document as an object."""

    text: InputText


class RerankRequest(OpenAiRequest, kw_only=True):
    """A query and the documents to order.

    Attributes:
        query: What is looked for.
        documents: Texts, or objects with a `text`.
        top_n: Results to answer, from the best down; all where it is left out.
        return_documents: Whether the results carry the documents' texts.
        max_tokens_per_doc: Accepted; a document longer than the model reads is refused, never cut.
    """

    query: InputText
    documents: Annotated[list[InputText | TextObject], Meta(min_length=1, max_length=MOST_VALUES)]
    top_n: Annotated[int, Meta(ge=1, le=MOST_VALUES)] | None = None
    return_documents: bool | None = None
    max_tokens_per_doc: Annotated[int, Meta(ge=1, le=2**31)] | None = None


class RerankResult(msgspec.Struct, omit_defaults=True):
    """A document's place in the request, how well it answers, and its text where that was asked for."""

    index: int
    relevance_score: float
    document: TextObject | None = None


class RerankResponse(msgspec.Struct):
    """The documents from the best down; equal ones keep their order.

    Attributes:
        meta: `method` says what the scores are; `billed_units` what was counted.
    """

    id: str
    model: str
    results: list[RerankResult]
    usage: TokenUsage
    meta: dict[str, Any]


class ScoreRequest(OpenAiRequest, kw_only=True):
    """One text and what it is compared to: a text or several."""

    text_1: InputText
    text_2: InputText | InputTexts


class ScoreObject(msgspec.Struct):
    """How well the text at this place fits."""

    index: int
    score: float
    object: Literal["score"] = "score"


class ScoreResponse(msgspec.Struct):
    """The scores, one a text, in their order."""

    id: str
    model: str
    created: int
    data: list[ScoreObject]
    usage: TokenUsage
    meta: dict[str, Any]
    object: Literal["list"] = "list"


@as_openai
async def rerank(request: Request) -> Response:
    """Answer the documents ordered by how well they answer the query."""
    asked: RerankRequest = await request.json(RerankRequest)
    texts = [found if isinstance(found, str) else found.text for found in asked.documents]
    predicted, scores = await _scores(request, asked.model, asked.query, texts, "/documents")
    order = sorted(range(len(texts)), key=lambda place: -scores[place])[: asked.top_n]
    results = [
        RerankResult(place, scores[place], TextObject(texts[place]) if asked.return_documents else None)
        for place in order
    ]
    body = RerankResponse(
        request.id, predicted.replica.version.reference, results, _usage(predicted), _meta(predicted)
    )
    return Response.json(body, headers=version_headers(predicted))


@as_openai
async def score(request: Request) -> Response:
    """Answer a score a text."""
    asked: ScoreRequest = await request.json(ScoreRequest)
    texts = [asked.text_2] if isinstance(asked.text_2, str) else asked.text_2
    predicted, scores = await _scores(request, asked.model, asked.text_1, texts, "/text_2")
    body = ScoreResponse(
        id=request.id,
        model=predicted.replica.version.reference,
        created=int(time.time()),
        data=[ScoreObject(place, value) for place, value in enumerate(scores)],
        usage=_usage(predicted),
        meta=_meta(predicted),
    )
    return Response.json(body, headers=version_headers(predicted))


async def _scores(
    request: Request, reference: str, query: str, texts: list[str], place: str
) -> tuple[Predicted, list[float]]:
    def read(replica: Replica) -> Asked:
        if replica.task.name == SENTENCE_EMBEDDING.name:
            return asked_json([query, *texts], None, replica)
        first, second = (column.name for column in replica.predictor.signature.inputs)
        return asked_json([{first: query, second: text} for text in texts], None, replica)

    predicted = await ask_model(request, reference, TASKS, read, place, characters(texts))
    answers = predicted.answered.answers
    if _is_cosine(predicted):
        return predicted, similarities(answers).tolist()
    return predicted, [answer.score for answer in answers if isinstance(answer, RankingAnswer)]


def _is_cosine(predicted: Predicted) -> bool:
    return predicted.replica.task.name == SENTENCE_EMBEDDING.name


def _usage(predicted: Predicted) -> TokenUsage:
    tokens = predicted.replica.task.units_of(predicted.answered.answers)
    return TokenUsage(tokens, tokens)


def _meta(predicted: Predicted) -> dict[str, Any]:
    tokens = predicted.replica.task.units_of(predicted.answered.answers)
    return {
        "method": COSINE if _is_cosine(predicted) else CROSS_ENCODER,
        "api_version": {"version": "2"},
        "billed_units": {"input_tokens": tokens},
    }


_EXAMPLE = {"model": "meaning", "query": "pets", "documents": ["rain and wind", "a cat sleeps"], "top_n": 1}


def _rerank_route(path: str) -> Route:
    return Route(
        "POST",
        path,
        Permission.PREDICT,
        rerank,
        "Order documents by how well they answer a query, as the clients of Cohere and Jina ask",
        request=RerankRequest,
        response=RerankResponse,
        example=_EXAMPLE,
        tags=("openai",),
        names_model_in_body=True,
        error_shape=openai_error,
        tasks=TASKS,
    )


ROUTES = (
    _rerank_route("/v1/rerank"),
    _rerank_route("/v2/rerank"),
    _rerank_route("/rerank"),
    Route(
        "POST",
        "/v1/score",
        Permission.PREDICT,
        score,
        "Score how well texts fit to a text",
        request=ScoreRequest,
        response=ScoreResponse,
        example={"model": "meaning", "text_1": "pets", "text_2": ["a cat sleeps", "rain and wind"]},
        tags=("openai",),
        names_model_in_body=True,
        error_shape=openai_error,
        tasks=TASKS,
    ),
)
