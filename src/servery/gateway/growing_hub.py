"""Answers that grow, in the form of the Hub's inference clients: whole, or a stream of tokens as they read it."""

from __future__ import annotations

from typing import Any

from servery.errors import InputError, ServeryError
from servery.gateway.growing import Answers, Events, Wanted, streamed, whole_answers
from servery.gateway.message import Request, Response
from servery.gateway.prediction import read_json
from servery.gateway.sse import event
from servery.gateway.strict_json import converted
from servery.serving.grower import Grown
from servery.serving.replica import Replica
from servery.tasks.growing import GrowingHubQuestion, GrowingTask

NAMES = frozenset({"inputs", "parameters", "options", "stream"})


async def answer_growing(request: Request, protocol: str) -> Response:
    """Answer a prediction of a model whose answers grow, in the Hub's shape."""
    value = read_json(await request.body(), NAMES)
    if "inputs" not in value:
        raise InputError('The body has no "inputs".', param="/inputs", hint='{"inputs": ...}')
    inputs, is_streamed = value["inputs"], bool(converted(value.get("stream") or False, bool, "/stream"))
    parameters: dict[str, Any] = converted(value.get("parameters") or {}, dict, "/parameters")
    questions: list[GrowingHubQuestion] = []

    async def read(replica: Replica) -> list[Wanted]:
        assert isinstance(replica.task, GrowingTask)
        examples = replica.read(inputs)
        if is_streamed and len(examples) > 1:
            raise InputError("A stream answers one input.", param="/inputs", hint="send one, or no stream")
        questions.append(replica.task.hub_asked(parameters))
        return [Wanted(example, questions[0].parameters) for example in examples]

    model = request.parameters["model"]
    if is_streamed:
        return await streamed(request, protocol, model, read, _events(request, questions))
    answers = await whole_answers(request, protocol, model, read)
    question, replica = questions[0], answers.replica
    shaped = [
        question.answer(growth.answer, w.example)
        for growth, w in zip(answers.growths, answers.wanted, strict=True)
    ]
    headers = [
        (b"x-model-version", replica.version.reference.encode()),
        (b"x-compute-seconds", f"{answers.answered.compute_seconds:.6f}".encode()),
        (f"x-usage-{replica.task.unit}".encode(), str(answers.units).encode()),
    ]
    return Response.json(shaped, headers=headers)


def _events(request: Request, questions: list[GrowingHubQuestion]) -> Events:
    number = 0

    def piece(answers: Answers, grown: Grown) -> bytes:
        nonlocal number
        number += 1
        assert not isinstance(grown.piece, Exception)
        whole = answers.growths[0].answer if grown.is_last else None
        return event(questions[0].event(number, grown.piece, whole))

    def error(error: ServeryError) -> bytes:
        return event({"error": error.message, "error_type": "generation"})

    return Events(piece, lambda _: b"", error)
