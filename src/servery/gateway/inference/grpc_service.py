"""The methods of `inference.GRPCInferenceService`, and of the services beside it: health and reflection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from servery.errors import ModelLoadError, ModelNotFoundError
from servery.gateway.app import Gateway
from servery.gateway.inference import grpc_wire
from servery.gateway.inference.grpc_calls import Call, Calls
from servery.gateway.inference.grpc_messages import SERVICE, message, pool
from servery.gateway.inference.infer import infer
from servery.gateway.inference.messages import Live, Ready
from servery.gateway.inference.metadata import model_config, model_metadata, server_metadata, statistics
from servery.gateway.inference.naming import reference_of, versions_of
from servery.gateway.inference.repository import index, load, unload
from servery.gateway.message import Request
from servery.gateway.permission import Permission
from servery.gateway.prediction import LARGE_BODY_BYTES

HEALTH_SERVICE = "grpc.health.v1.Health"
REFLECTION_SERVICE = "grpc.reflection.v1alpha.ServerReflection"
WATCH_SECONDS = 1.0
"""How often a watched health is looked at."""


async def live(_: Request, __: Any) -> Any:
    """Answer that the process turns its event loop."""
    return _as("ServerLiveResponse", Live(True))


async def ready(request: Request, _: Any) -> Any:
    """Answer whether requests should come."""
    return _as("ServerReadyResponse", Ready(is_ready(request.gateway)))


async def show_server(_: Request, __: Any) -> Any:
    """Answer the server's name, version and extensions."""
    return _as("ServerMetadataResponse", server_metadata())


async def model_ready(request: Request, sent: Any) -> Any:
    """Bring a model up, if it is not, and answer whether it is ready."""
    try:
        await request.gateway.engine.replica(reference_of(sent.name, sent.version))
    except (ModelNotFoundError, ModelLoadError):
        return _as("ModelReadyResponse", Ready(False))
    return _as("ModelReadyResponse", Ready(True))


async def show_model(request: Request, sent: Any) -> Any:
    """Answer what a model takes and gives."""
    engine = request.gateway.engine
    replica = await engine.replica(reference_of(sent.name, sent.version))
    return _as("ModelMetadataResponse", model_metadata(replica, await versions_of(engine, replica.version)))


async def show_config(request: Request, sent: Any) -> Any:
    """Answer how a model is served."""
    replica = await request.gateway.engine.replica(reference_of(sent.name, sent.version))
    config = model_config(replica, request.gateway.settings.max_batch_rows)
    return _as("ModelConfigResponse", {"config": msgspec.to_builtins(config)})


async def show_statistics(request: Request, sent: Any) -> Any:
    """Answer what one model did, or all."""
    gateway = request.gateway
    version = await gateway.engine.version(reference_of(sent.name, sent.version)) if sent.name else None
    return _as("ModelStatisticsResponse", await statistics(gateway, version))


async def answer(request: Request, sent: Any) -> Any:
    """Answer tensors with tensors."""
    reference = reference_of(sent.model_name, sent.model_version)
    request.check_model(reference)
    is_large = request.measures.bytes_in > LARGE_BODY_BYTES
    asked = await asyncio.to_thread(grpc_wire.read, sent) if is_large else grpc_wire.read(sent)
    inferred = await infer(request, "inference_grpc", reference, asked)
    if inferred.is_large:
        return await asyncio.to_thread(grpc_wire.response, sent, inferred, request.id)
    return grpc_wire.response(sent, inferred, request.id)


async def list_versions(request: Request, sent: Any) -> Any:
    """Answer every version and whether it is loaded."""
    entries = await index(request.gateway.engine, sent.ready)
    return _as("RepositoryIndexResponse", {"models": msgspec.to_builtins(entries)})


async def load_model(request: Request, sent: Any) -> Any:
    """Put a model into service."""
    name = sent.model_name or sent.repository_name
    await load(request, name, grpc_wire.parameters_of(sent.parameters))
    return message("RepositoryModelLoadResponse")(model_name=name, is_loaded=True)


async def unload_model(request: Request, sent: Any) -> Any:
    """Take a model out of service."""
    name = sent.model_name or sent.repository_name
    await unload(request, name)
    return message("RepositoryModelUnloadResponse")(model_name=name, is_unloaded=True)


CALLS = (
    Call("ServerLive", Permission.PUBLIC, live),
    Call("ServerReady", Permission.PUBLIC, ready),
    Call("ServerMetadata", Permission.MODELS_READ, show_server),
    Call("ModelReady", Permission.MODELS_READ, model_ready),
    Call("ModelMetadata", Permission.MODELS_READ, show_model),
    Call("ModelConfig", Permission.MODELS_READ, show_config),
    Call("ModelStatistics", Permission.MODELS_READ, show_statistics),
    Call("ModelInfer", Permission.PREDICT, answer),
    Call("RepositoryIndex", Permission.MODELS_READ, list_versions),
    Call("RepositoryModelLoad", Permission.ADMIN, load_model),
    Call("RepositoryModelUnload", Permission.ADMIN, unload_model),
)
STREAM = Call("ModelStreamInfer", Permission.PREDICT, answer)


OPEN_METHODS = frozenset(
    {f"/{SERVICE}/{call.name}" for call in CALLS if call.permission is Permission.PUBLIC}
    | {f"/{HEALTH_SERVICE}/Check"}
)
"""What answers without a key."""


def handlers(calls: Calls) -> list[Any]:
    """Return the handlers of all services, for `grpc.aio`'s server; none answers without its permission."""
    import grpc

    def unary(call: Call) -> Any:
        async def handle(body: bytes, context: Any) -> bytes:
            return await calls.answer(call, body, context)

        return grpc.unary_unary_rpc_method_handler(handle)

    async def stream(bodies: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
        async for part in calls.answer_each(STREAM, bodies, context):
            yield part

    methods = {call.name: unary(call) for call in CALLS}
    methods[STREAM.name] = grpc.stream_stream_rpc_method_handler(stream)
    return [
        grpc.method_handlers_generic_handler(SERVICE, methods),
        grpc.method_handlers_generic_handler(HEALTH_SERVICE, _health(calls)),
        grpc.method_handlers_generic_handler(REFLECTION_SERVICE, _reflection(calls)),
    ]


def is_ready(gateway: Gateway) -> bool:
    """Return whether requests should come."""
    return gateway.engine.is_ready and not gateway.is_draining


def _health(calls: Calls) -> dict[str, Any]:
    """Return the health service: a check is open to everyone, to be told of every change takes a key."""
    import grpc
    from grpc_health.v1 import health_pb2

    known = {"", SERVICE, HEALTH_SERVICE}
    response = health_pb2.HealthCheckResponse

    def status(name: str) -> Any:
        if name not in known:
            return response(status=response.SERVICE_UNKNOWN)
        return response(status=response.SERVING if is_ready(calls.gateway) else response.NOT_SERVING)

    async def check(sent: Any, context: Any) -> Any:
        if sent.service not in known:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"There is no service {sent.service[:100]!r}.")
        return status(sent.service)

    async def watch(sent: Any, context: Any) -> AsyncIterator[Any]:
        await calls.admit("Watch", context)
        told = None
        while True:
            now = status(sent.service)
            if now != told:
                yield now
                told = now
            await asyncio.sleep(WATCH_SECONDS)

    reads, writes = health_pb2.HealthCheckRequest.FromString, response.SerializeToString
    return {
        "Check": grpc.unary_unary_rpc_method_handler(check, reads, writes),
        "Watch": grpc.unary_stream_rpc_method_handler(watch, reads, writes),
    }


def _reflection(calls: Calls) -> dict[str, Any]:
    """Return the reflection service; what there is is told only to those who have a key."""
    import grpc
    from grpc_health.v1 import health_pb2
    from grpc_reflection.v1alpha import reflection_pb2
    from grpc_reflection.v1alpha.reflection import aio

    described = pool()
    for file in (health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR):
        described.AddSerializedFile(file.serialized_pb)
    servicer = aio.ReflectionServicer([SERVICE, HEALTH_SERVICE, REFLECTION_SERVICE], pool=described)

    async def tell(asked: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        await calls.admit("ServerReflectionInfo", context)
        async for answer in servicer.ServerReflectionInfo(asked, context):
            yield answer

    return {
        "ServerReflectionInfo": grpc.stream_stream_rpc_method_handler(
            tell,
            reflection_pb2.ServerReflectionRequest.FromString,
            reflection_pb2.ServerReflectionResponse.SerializeToString,
        )
    }


def _as(name: str, value: Any) -> Any:
    """Return a struct, or plain types, as the message of that name."""
    from google.protobuf import json_format

    plain = msgspec.to_builtins(value)
    return json_format.ParseDict(plain, message(name)(), ignore_unknown_fields=True)
