"""gRPC's own health client and its reflection client."""

import os

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

SERVICE = "inference.GRPCInferenceService"
METADATA = (("authorization", f"Bearer {os.environ['SERVERY_JUDGED_KEY']}"),)


class WithKey(grpc.StreamStreamClientInterceptor):
    """The reflection client sends no metadata of its own."""

    def intercept_stream_stream(self, continuation, details, requests):
        return continuation(details._replace(metadata=METADATA), requests)


@pytest.fixture
def channel():
    with grpc.insecure_channel(os.environ["SERVERY_JUDGED_GRPC"]) as made:
        yield made


def test_health_is_told_to_everyone(channel):
    health = health_pb2_grpc.HealthStub(channel)
    for service in ("", SERVICE):
        answer = health.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    with pytest.raises(grpc.RpcError) as caught:
        health.Check(health_pb2.HealthCheckRequest(service="nobody"))
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND


def test_health_is_watched_with_a_key(channel):
    health = health_pb2_grpc.HealthStub(channel)
    watched = health.Watch(health_pb2.HealthCheckRequest(), metadata=METADATA)
    assert next(watched).status == health_pb2.HealthCheckResponse.SERVING
    watched.cancel()
    with pytest.raises(grpc.RpcError) as caught:
        next(health.Watch(health_pb2.HealthCheckRequest()))
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_reflection_tells_the_services_to_those_with_a_key(channel):
    database = ProtoReflectionDescriptorDatabase(grpc.intercept_channel(channel, WithKey()))
    assert SERVICE in database.get_services()
    pool = DescriptorPool(database)
    methods = {method.name for method in pool.FindServiceByName(SERVICE).methods}
    assert {"ModelInfer", "ModelStreamInfer", "RepositoryModelLoad"} <= methods
    with pytest.raises(grpc.RpcError) as caught:
        ProtoReflectionDescriptorDatabase(channel).get_services()
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


def test_a_model_is_asked_with_what_reflection_told_alone(channel):
    database = ProtoReflectionDescriptorDatabase(grpc.intercept_channel(channel, WithKey()))
    pool = DescriptorPool(database)
    method = pool.FindServiceByName(SERVICE).FindMethodByName("ModelMetadata")
    request, response = GetMessageClass(method.input_type), GetMessageClass(method.output_type)
    call = channel.unary_unary(
        f"/{SERVICE}/{method.name}",
        request_serializer=request.SerializeToString,
        response_deserializer=response.FromString,
    )
    assert call(request(name="signals"), metadata=METADATA).inputs[0].datatype == "FP32"
