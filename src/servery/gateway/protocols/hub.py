"""The form in which `huggingface_hub.InferenceClient` asks and reads; no envelope, extras in headers.

The client never says which task it means: the model knows. A picture comes as a raw body, with or without a
content type, or in base64 where parameters go with it; a table comes as {"table": {column: [values]}}. Parameters may
stand beside the inputs, and a task may be asked in several ways: it knows its own. A picture goes back as its bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from servery.errors import InputError
from servery.gateway.growing import grows
from servery.gateway.growing_hub import answer_growing
from servery.gateway.message import Request, Response
from servery.gateway.openapi import EXAMPLE, INPUTS_SCHEMA, PARAMETERS_SCHEMA
from servery.gateway.permission import Permission
from servery.gateway.prediction import Asked, Predicted, asked_bytes, asked_json, is_json, predict, read_json
from servery.gateway.route import Route
from servery.gateway.strict_json import converted
from servery.serving.replica import Replica
from servery.tasks.task import Answer

NAMES = frozenset({"inputs", "parameters", "table", "options"})
"""`options` (use_cache, wait_for_model ...) is accepted and means nothing here."""


@dataclass(frozen=True, slots=True)
class HubAsked(Asked):
    """What is asked in the Hub's form, and how the answers go back; None for as the task always does."""

    shape: Callable[[Sequence[Answer]], Any] | None = None


async def answer(request: Request) -> Response:
    """Answer a prediction in the Hub's shape."""
    if await grows(request):
        return await answer_growing(request, "hub")
    predicted = await predict(request, "hub", read)
    replica = predicted.replica
    answers = predicted.answered.answers
    if isinstance(predicted.asked, HubAsked) and predicted.asked.shape is not None:
        value = predicted.asked.shape(answers)
    else:
        kinds = replica.predictor.signature.kinds
        value = replica.task.hub_answers(answers, kinds, predicted.asked.is_batch)
    if isinstance(value, bytes):
        return Response(body=value, content_type="image/png", headers=_extras(predicted))
    return Response.json(value, headers=_extras(predicted))


def read(body: bytes, content_type: str, replica: Replica) -> Asked:
    """Read a body as the client sends it.

    Raises:
        InputError: It is not what the model takes.
    """
    if not is_json(body, content_type, replica.form):
        return asked_bytes(body, content_type, replica)
    beside = frozenset(replica.task.parameters.__struct_fields__)
    value = read_json(body, NAMES | beside)
    parameters: Any = value.get("parameters")
    if not value.keys() <= NAMES:
        # The client puts the parameters of feature extraction beside the inputs.
        within = converted(parameters or {}, dict, "/parameters")
        parameters = within | {name: value[name] for name in beside & value.keys()}
    if "table" in value:
        return asked_json({"table": value["table"]}, parameters, replica)
    if "inputs" not in value:
        raise InputError(
            'The body has neither "inputs" nor "table".', param="/inputs", hint='{"inputs": ...}'
        )
    question = replica.task.hub_question(value["inputs"])
    asked = asked_json(question.inputs, parameters, replica)
    return HubAsked(asked.examples, asked.parameters, asked.is_batch, question.answers)


def _extras(predicted: Predicted) -> list[tuple[bytes, bytes]]:
    task = predicted.replica.task
    headers = [
        (b"x-model-version", predicted.replica.version.reference.encode()),
        (b"x-compute-seconds", f"{predicted.answered.compute_seconds:.6f}".encode()),
        (f"x-usage-{task.unit}".encode(), str(task.units_of(predicted.answered.answers)).encode()),
    ]
    if predicted.warnings:
        headers.append((b"x-warnings", ",".join(notice.code for notice in predicted.warnings).encode()))
    return headers


ROUTES = (
    Route(
        "POST",
        "/v1/models/{model}",
        Permission.PREDICT,
        answer,
        "Predict, as the Hub's inference clients speak",
        request={
            "type": "object",
            "properties": {
                "inputs": INPUTS_SCHEMA,
                "table": {**INPUTS_SCHEMA, "description": "Columns of values: {column: [values]}."},
                "parameters": PARAMETERS_SCHEMA,
                "options": {**PARAMETERS_SCHEMA, "description": "Accepted, and without effect."},
            },
            "additionalProperties": False,
        },
        response={"description": "The Hub's shape of this task's answer."},
        example=EXAMPLE,
        tags=("hub",),
        streams=True,
    ),
)
