"""KServe's first protocol, as its SDK speaks it: `:predict` and `:explain` with instances in and predictions out."""

from __future__ import annotations

from typing import Any

from servery.errors import InputError, ServeryError
from servery.gateway.explaining import explained
from servery.gateway.message import Request, Response
from servery.gateway.openapi import INPUTS_SCHEMA, PARAMETERS_SCHEMA
from servery.gateway.permission import Permission
from servery.gateway.prediction import Asked, asked_json, predict, read_json
from servery.gateway.route import Route
from servery.gateway.strict_json import converted
from servery.models.explanation import ExplainParameters
from servery.serving.replica import Replica
from servery.tasks.form import Example

NAMES = frozenset({"instances", "inputs", "parameters"})
"""`inputs` is TensorFlow Serving's other name for the instances; `parameters` is ours."""


async def answer(request: Request) -> Response:
    """Answer `{"instances": [...]}` with `{"predictions": [...]}`, one an instance."""
    predicted = await predict(request, "kserve", read)
    return Response.json({"predictions": predicted.answered.answers}, headers=_version(predicted.replica))


async def explain(request: Request) -> Response:
    """Answer `{"instances": [...]}` with `{"explanations": [...]}`, one an instance."""
    predicted, explanations = await explained(request, "kserve", read_explain)
    return Response.json({"explanations": explanations}, headers=_version(predicted.replica))


def read(body: bytes, content_type: str, replica: Replica) -> Asked:
    """Read the instances and parameters of a body.

    Raises:
        InputError: It has none, or they are not what the model takes.
    """
    value, instances = _instances(body)
    return asked_json(instances, value.get("parameters"), replica)


def read_explain(body: bytes, content_type: str, replica: Replica) -> tuple[list[Example], ExplainParameters]:
    """Read the instances to explain.

    Raises:
        InputError: It has none, or they are not what the model takes.
    """
    value, instances = _instances(body)
    return replica.read(instances), converted(value.get("parameters") or {}, ExplainParameters, "/parameters")


def plain_error(error: ServeryError, request_id: str) -> Any:
    """Return the error object that KServe's clients read: a sentence."""
    hint = f" {error.hint}" if error.hint else ""
    return {"error": error.message + hint, "code": error.code, "request_id": request_id}


def _instances(body: bytes) -> tuple[dict[str, Any], list[Any]]:
    value = read_json(body, NAMES)
    instances = value.get("instances", value.get("inputs"))
    if not isinstance(instances, list):
        raise InputError(
            'The body has no list of "instances".', param="/instances", hint='{"instances": [...]}'
        )
    return value, instances


def _version(replica: Replica) -> list[tuple[bytes, bytes]]:
    return [(b"x-model-version", replica.version.reference.encode())]


_REQUEST = {
    "type": "object",
    "properties": {
        "instances": {**INPUTS_SCHEMA["anyOf"][-1], "description": "One input an instance."},
        "parameters": PARAMETERS_SCHEMA,
    },
    "required": ["instances"],
    "additionalProperties": False,
}
_EXAMPLE = {"instances": ["The staff were friendly and the room was spotless."]}

ROUTES = (
    Route(
        "POST",
        "/v1/models/{model}:predict",
        Permission.PREDICT,
        answer,
        "Predict, as KServe's first protocol has it",
        request=_REQUEST,
        response={"type": "object", "required": ["predictions"]},
        example=_EXAMPLE,
        tags=("kserve",),
        error_shape=plain_error,
    ),
    Route(
        "POST",
        "/v1/models/{model}:explain",
        Permission.PREDICT,
        explain,
        "Explain, as KServe's first protocol has it",
        request=_REQUEST,
        response={"type": "object", "required": ["explanations"]},
        example=_EXAMPLE,
        tags=("kserve",),
        error_shape=plain_error,
    ),
)
