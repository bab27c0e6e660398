"""The messages of `inference.proto`, read from `inference.binpb` when gRPC is wanted; `make protos` writes that file.

Generated Python code would hold us to the version of protobuf that generated it; a description does not.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from servery.errors import MissingExtraError

SERVICE = "inference.GRPCInferenceService"


@cache
def pool() -> Any:
    """Return the descriptions, in a pool of their own: others may have the same names in the common one.

    Raises:
        MissingExtraError: protobuf is not installed.
    """
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool
    except ImportError as error:
        raise MissingExtraError.named("grpc") from error
    found = descriptor_pool.DescriptorPool()
    files = descriptor_pb2.FileDescriptorSet.FromString(
        Path(__file__).with_name("inference.binpb").read_bytes()
    )
    for file in files.file:
        found.Add(file)
    return found


@cache
def message(name: str) -> Any:
    """Return the class of a message, e.g. "ModelInferRequest"."""
    from google.protobuf import message_factory

    return message_factory.GetMessageClass(pool().FindMessageTypeByName(f"inference.{name}"))


def methods() -> list[Any]:
    """Return the descriptions of the service's methods."""
    return list(pool().FindServiceByName(SERVICE).methods)
