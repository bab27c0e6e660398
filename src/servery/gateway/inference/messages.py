"""What the protocol tells of servers and models; the names are those of its JSON and of its protobuf messages."""

from __future__ import annotations

import msgspec

EXTENSIONS = (
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "model_repository",
    "statistics",
)
"""Of the protocol's extensions those that this server has."""


class Live(msgspec.Struct):
    """Whether the process turns its event loop."""

    live: bool


class Ready(msgspec.Struct):
    """Whether requests should come."""

    ready: bool


class ModelReady(msgspec.Struct):
    """Whether a model can answer."""

    name: str
    ready: bool


class ServerMetadata(msgspec.Struct):
    """The server's name and version, and the protocol's extensions that it has."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(msgspec.Struct):
    """One input or output; -1 in a shape is any number, the first axis is the rows."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(msgspec.Struct):
    """One version of a model: what it takes and gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class Reshape(msgspec.Struct):
    """The shape that a row really has, where `dims` cannot say it."""

    shape: list[int]


class ConfigTensor(msgspec.Struct, omit_defaults=True):
    """One input or output in a configuration; `dims` are without the axis of rows."""

    name: str
    data_type: str
    dims: list[int]
    reshape: Reshape | None = None


class AllVersions(msgspec.Struct):
    """Says nothing more."""


class VersionPolicy(msgspec.Struct):
    """Every version can be asked."""

    all: AllVersions


class DynamicBatching(msgspec.Struct):
    """Batches are made of what queued; nothing waits for company."""

    max_queue_delay_microseconds: int = 0


class ModelConfig(msgspec.Struct):
    """How a model is served, in the words of Triton's configuration."""

    name: str
    platform: str
    backend: str
    max_batch_size: int
    version_policy: VersionPolicy
    input: list[ConfigTensor]
    output: list[ConfigTensor]
    dynamic_batching: DynamicBatching


class Duration(msgspec.Struct):
    """How often something happened, and how long it took in all."""

    count: int
    ns: int


class InferStatistics(msgspec.Struct):
    """Where the time of a model's requests went."""

    success: Duration
    fail: Duration
    queue: Duration
    compute_input: Duration
    compute_infer: Duration
    compute_output: Duration


class ModelStatistics(msgspec.Struct):
    """What one version has done since it was loaded.

    `inference_count` counts rows, `execution_count` forward passes; `last_inference` is in milliseconds since 1970.
    """

    name: str
    version: str
    last_inference: int
    inference_count: int
    execution_count: int
    inference_stats: InferStatistics


class StatisticsList(msgspec.Struct):
    """The statistics of the loaded versions."""

    model_stats: list[ModelStatistics]


class IndexEntry(msgspec.Struct):
    """One version in the repository; `state` is READY, LOADING or UNAVAILABLE."""

    name: str
    version: str
    state: str
    reason: str
