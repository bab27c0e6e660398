"""OpenAI's decisions, from classifiers: questions about an input whose possible answers are the model's labels.

A classifier does not read instructions: it answers the one question that it was trained for. So a choice is made among
labels, a predicate is a label that fits or not, and the levels of a score are labels in the order given.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from servery.errors import InputError
from servery.gateway.message import Request, Response
from servery.gateway.openai.body import InputText, OpenAiRequest, ask_model, version_headers
from servery.gateway.openai.categories import labels_of
from servery.gateway.openai.dialect import as_openai, openai_error
from servery.gateway.permission import Permission
from servery.gateway.prediction import Asked, asked_json
from servery.gateway.route import Route
from servery.schemas import Text
from servery.serving.replica import Replica
from servery.tasks.classification import CLASSIFICATION
from servery.tasks.multi_label_classification import MULTI_LABEL_CLASSIFICATION

TASKS = (CLASSIFICATION.name, MULTI_LABEL_CLASSIFICATION.name)
MOST_QUESTIONS = 400
MOST_CHOICES = 255


class Choice(msgspec.Struct, forbid_unknown_fields=True):
    """A label that may be chosen; the description is read by nobody."""

    value: Text | bool
    description: Text | None = None


class Level(msgspec.Struct, forbid_unknown_fields=True):
    """A label that is a step of a scale; the description is read by nobody."""

    label: Text
    description: Text | None = None


class Question(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """One question.

    Attributes:
        type: "choice" among `choices`, "score" on `levels`, or "predicate": does the label fit that the instructions
            (or else the name) spell?
        instructions: Read only for a predicate.
        name: Comes back with the answer.
    """

    type: Literal["predicate", "choice", "score"]
    instructions: InputText
    name: Text | None = None
    choices: Annotated[list[Choice], Meta(min_length=2, max_length=MOST_CHOICES)] | None = None
    levels: Annotated[list[Level], Meta(min_length=2, max_length=MOST_CHOICES)] | None = None


class DecisionRequest(OpenAiRequest, kw_only=True):
    """A text and the questions about it."""

    input: InputText
    questions: Annotated[list[Question], Meta(min_length=1, max_length=MOST_QUESTIONS)]
    safety_identifier: Text | None = None


class DecisionResponse(msgspec.Struct):
    """The answers, one a question, in their order. A classifier counts no tokens: `usage` has its own unit besides."""

    model: str
    answers: list[dict[str, Any]]
    usage: dict[str, Any]


@as_openai
async def decide(request: Request) -> Response:
    """Answer every question from the scores of one look at the input."""
    asked: DecisionRequest = await request.json(DecisionRequest)

    def read(replica: Replica) -> Asked:
        for place, question in enumerate(asked.questions):
            _check(question, replica.predictor.signature.labels, f"/questions/{place}")
        return asked_json(asked.input, None, replica)

    predicted = await ask_model(request, asked.model, TASKS, read, "/input", len(asked.input))
    scores = {label: score for label, score, _ in labels_of(predicted.answered.answers[0])}
    return Response.json(
        DecisionResponse(
            model=predicted.replica.version.reference,
            answers=[_answered(question, scores) for question in asked.questions],
            usage={**_NO_TOKENS, **predicted.usage},
        ),
        headers=version_headers(predicted),
    )


_NO_TOKENS = {
    "input_tokens": 0,
    "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
    "output_tokens": 0,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 0,
}


def _asked_labels(question: Question) -> list[str]:
    if question.type == "choice":
        # A yes or no is asked of labels spelled so.
        return [_label(choice.value) for choice in question.choices or []]
    if question.type == "score":
        return [level.label for level in question.levels or []]
    return [question.instructions]


def _label(value: str | bool) -> str:
    return value if isinstance(value, str) else str(value).lower()


def _check(question: Question, labels: tuple[str, ...], place: str) -> None:
    asked = _asked_labels(question)
    if not asked:
        wanted = "choices" if question.type == "choice" else "levels"
        raise InputError(
            f"The question at {place} is a {question.type} without {wanted}.", param=f"{place}/{wanted}"
        )
    if question.type == "predicate" and question.name in labels:
        return
    unknown = next((label for label in asked if label not in labels), None)
    if unknown is not None:
        raise InputError(
            f"{unknown[:100]!r}, at {place}, is none of this model's labels: {', '.join(labels)}.",
            hint="ask with labels: the model answers nothing that it was not trained for",
            param=place,
        )
    if len(set(asked)) < len(asked):
        raise InputError(f"A label stands twice in the question at {place}.", param=place)


def _answered(question: Question, scores: dict[str, float]) -> dict[str, Any]:
    asked = _asked_labels(question)
    found: dict[str, Any] = {"type": question.type, "name": question.name}
    if question.type == "predicate":
        label = asked[0] if asked[0] in scores else str(question.name)
        return found | {"probability": scores[label]}
    # Only the labels asked about can be the answer: their scores are made to sum to 1.
    total = sum(scores[label] for label in asked)
    chances = [scores[label] / total if total else 1 / len(asked) for label in asked]
    best = max(range(len(asked)), key=chances.__getitem__)
    if question.type == "choice":
        values = [choice.value for choice in question.choices or []]
        probabilities = [
            {"value": value, "probability": chance} for value, chance in zip(values, chances, strict=True)
        ]
        return found | {
            "choice": values[best],
            "confidence": chances[best],
            "probabilities": probabilities,
        }
    levels = [
        {"label": label, "value": place, "probability": chance}
        for place, (label, chance) in enumerate(zip(asked, chances, strict=True))
    ]
    expected = sum(place * chance for place, chance in enumerate(chances))
    return found | {"score": expected, "confidence": chances[best], "probabilities": levels}


ROUTES = (
    Route(
        "POST",
        "/v1/decisions",
        Permission.PREDICT,
        decide,
        "Answer questions from a classifier's labels, as OpenAI's clients ask",
        request=DecisionRequest,
        response=DecisionResponse,
        example={
            "model": "unwanted",
            "input": "buy cheap pills now",
            "questions": [
                {
                    "type": "choice",
                    "instructions": "What is wrong with it?",
                    "choices": [{"value": "spam"}, {"value": "hate"}],
                }
            ],
        },
        tags=("openai",),
        names_model_in_body=True,
        error_shape=openai_error,
        tasks=TASKS,
    ),
)
