"""Servery's own protocol: what models there are, and predictions in an envelope."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import datetime
from functools import partial

import msgspec

from servery.errors import InputError
from servery.gateway.explaining import explained
from servery.gateway.growing_native import stream_predicted, wants_stream
from servery.gateway.jobs import prefers_async, respond_async
from servery.gateway.listening_native import stream_words, wants_words
from servery.gateway.message import Request, Response
from servery.gateway.openapi import EXAMPLE, INPUTS_SCHEMA, PARAMETERS_SCHEMA, model_document
from servery.gateway.permission import Permission
from servery.gateway.prediction import Asked, Predicted, asked_bytes, asked_json, is_json, predict, read_json
from servery.gateway.route import Route
from servery.gateway.strict_json import converted
from servery.models.explanation import ExplainParameters
from servery.registry.registry import Registry
from servery.registry.version import Version
from servery.schemas import ColumnObject, ExplainResponse, JobObject, ModelList, ModelObject, PredictResponse
from servery.serving.engine import Engine
from servery.serving.replica import Replica
from servery.tasks.form import Example

NAMES = frozenset({"inputs", "parameters"})


async def list_models(request: Request) -> Response:
    """Answer every model that can be asked."""
    engine = request.gateway.engine
    groups = await asyncio.to_thread(_by_model, engine.registry)
    return Response.json(ModelList([_object(v.name, v, engine, group) for v, group in groups]))


async def show_model(request: Request) -> Response:
    """Answer one model with what it takes and gives."""
    engine = request.gateway.engine
    reference = request.parameters["model"]
    replica = await engine.replica(reference)
    group = await asyncio.to_thread(engine.registry.versions, replica.version.name)
    known = _object(reference, replica.version, engine, group)
    signature = replica.predictor.signature
    return Response.json(
        msgspec.structs.replace(
            known,
            hub_task=replica.hub_task,
            labels=list(signature.labels),
            inputs=[ColumnObject(c.name, c.kind.value, list(c.categories)) for c in signature.inputs],
            limits=dataclasses.asdict(replica.limits),
            example=signature.example,
        )
    )


async def describe_model(request: Request) -> Response:
    """Answer the OpenAPI document of one model."""
    reference = request.parameters["model"]
    return Response.json(model_document(reference, await request.gateway.engine.replica(reference)))


async def answer(request: Request) -> Response:
    """Answer a prediction in an envelope, as events, or with a job to a client that would rather not wait for it."""
    if prefers_async(request):
        return await respond_async(request, read)
    if await wants_words(request):
        return await stream_words(request, "native", read, partial(_envelope, request))
    if await wants_stream(request):
        return await stream_predicted(request, "native", read, partial(_envelope, request))
    predicted = await predict(request, "native", read)
    return Response.json(
        _envelope(request, predicted),
        headers=[(b"x-model-version", predicted.replica.version.reference.encode())],
    )


def _envelope(request: Request, predicted: Predicted) -> PredictResponse:
    replica = predicted.replica
    return PredictResponse(
        id=request.id,
        model=replica.version.reference,
        task=replica.hub_task,
        outputs=predicted.answered.answers,
        usage=predicted.usage,
        warnings=predicted.warnings,
    )


async def explain(request: Request) -> Response:
    """Answer why inputs get their answers: which of their parts speak for the label, and how much."""
    predicted, explanations = await explained(request, "native", read_explain)
    replica = predicted.replica
    return Response.json(
        ExplainResponse(
            id=request.id,
            model=replica.version.reference,
            task=replica.hub_task,
            explanations=list(explanations),
            usage=predicted.usage,
            warnings=predicted.warnings,
        ),
        headers=[(b"x-model-version", replica.version.reference.encode())],
    )


def read_explain(body: bytes, content_type: str, replica: Replica) -> tuple[list[Example], ExplainParameters]:
    """Read `{"inputs": ..., "parameters": {"label": ...}}`, or a picture's bytes with their content type.

    Raises:
        InputError: It is neither.
    """
    if not is_json(body, content_type, replica.form):
        return replica.read_bytes(body, content_type), ExplainParameters()
    value = read_json(body, NAMES)
    if "inputs" not in value:
        raise InputError('The body has no "inputs".', param="/inputs", hint='{"inputs": ...}')
    parameters = converted(value.get("parameters") or {}, ExplainParameters, "/parameters")
    return replica.read(value["inputs"]), parameters


def read(body: bytes, content_type: str, replica: Replica) -> Asked:
    """Read `{"inputs": ..., "parameters": {...}}`, or a picture's bytes with their content type.

    Raises:
        InputError: It is neither.
    """
    if not is_json(body, content_type, replica.form):
        return asked_bytes(body, content_type, replica)
    value = read_json(body, NAMES)
    if "inputs" not in value:
        raise InputError('The body has no "inputs".', param="/inputs", hint='{"inputs": ...}')
    return asked_json(value["inputs"], value.get("parameters"), replica)


def _by_model(registry: Registry) -> list[tuple[Version, list[Version]]]:
    """Return for every model the version that its name alone means, and all its versions."""
    versions = registry.versions()
    groups = [[v for v in versions if v.name == name] for name in dict.fromkeys(v.name for v in versions)]
    return [(registry.resolve(group[0].name), group) for group in groups]


def _object(reference: str, version: Version, engine: Engine, group: list[Version]) -> ModelObject:
    return ModelObject(
        id=reference,
        created=int(datetime.fromisoformat(version.created_at).timestamp()),
        version=version.number,
        digest=version.digest,
        task=version.task,
        field=version.field,
        recipe=version.recipe,
        state=engine.state(version),
        ready=engine.state(version) == "ready",
        is_sample=bool(version.lineage.get("is_sample")),
        aliases={alias: v.number for v in group for alias in v.aliases},
        versions=[v.number for v in group],
        metrics=dict(version.metrics),
    )


_NUMBER_OR_NULL = {"type": ["number", "null"], "minimum": -1e300, "maximum": 1e300}
_NAME = {"type": "string", "maxLength": 1024}
EXPLAIN_PARAMETERS = {
    "type": "object",
    "properties": {
        "label": {"type": ["string", "null"], "maxLength": 1024},
        "reasons": {"type": "integer", "minimum": 0, "maximum": 20},
        "counterfactual": {
            "type": ["object", "null"],
            "properties": {
                "fixed": {"type": "array", "items": _NAME, "maxItems": 1000},
                "limits": {
                    "type": "object",
                    "maxProperties": 1000,
                    "additionalProperties": {
                        "type": "object",
                        "properties": {"min": _NUMBER_OR_NULL, "max": _NUMBER_OR_NULL},
                        "additionalProperties": False,
                    },
                },
                "label": {"type": ["string", "null"], "maxLength": 1024},
            },
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}

ROUTES = (
    Route(
        "GET",
        "/v1/models",
        Permission.MODELS_READ,
        list_models,
        "List the models",
        response=ModelList,
        tags=("models",),
    ),
    Route(
        "GET",
        "/v1/models/{model}",
        Permission.MODELS_READ,
        show_model,
        "Show one model",
        response=ModelObject,
        tags=("models",),
    ),
    Route(
        "GET",
        "/v1/models/{model}/openapi.json",
        Permission.MODELS_READ,
        describe_model,
        "Describe one model's requests and answers",
        response={"type": "object"},
        tags=("models",),
    ),
    Route(
        "POST",
        "/v1/models/{model}/predict",
        Permission.PREDICT,
        answer,
        "Predict",
        request={
            "type": "object",
            "properties": {"inputs": INPUTS_SCHEMA, "parameters": PARAMETERS_SCHEMA},
            "required": ["inputs"],
            "additionalProperties": False,
        },
        response=PredictResponse,
        accepted=JobObject,
        example=EXAMPLE,
        tags=("predictions",),
        streams=True,
    ),
    Route(
        "POST",
        "/v1/models/{model}/explain",
        Permission.PREDICT,
        explain,
        "Explain answers: which parts of an input speak for its label",
        request={
            "type": "object",
            "properties": {
                "inputs": INPUTS_SCHEMA,
                "parameters": EXPLAIN_PARAMETERS,
            },
            "required": ["inputs"],
            "additionalProperties": False,
        },
        response=ExplainResponse,
        example=EXAMPLE,
        tags=("predictions",),
    ),
)
