"""What a model takes, gives and did, told from its signature, its task and its replica."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from servery.data.columns import Column, Kind
from servery.gateway.inference.datatypes import BYTES, datatype_of, shape_of
from servery.gateway.inference.interface import interface_of
from servery.gateway.inference.messages import (
    EXTENSIONS,
    AllVersions,
    ConfigTensor,
    Duration,
    DynamicBatching,
    InferStatistics,
    ModelConfig,
    ModelMetadata,
    ModelStatistics,
    Reshape,
    ServerMetadata,
    StatisticsList,
    TensorMetadata,
    VersionPolicy,
)
from servery.gateway.status import status_of
from servery.registry.version import Version
from servery.schemas import VERSION, ReplicaStatus
from servery.serving.engine import Engine
from servery.serving.replica import Replica

if TYPE_CHECKING:
    from servery.gateway.app import Gateway


def server_metadata() -> ServerMetadata:
    """Return the server's name, version and extensions."""
    return ServerMetadata("servery", VERSION, list(EXTENSIONS))


def model_metadata(replica: Replica, versions: Sequence[Version]) -> ModelMetadata:
    """Return what a model takes and gives, and which versions of it there are."""
    return ModelMetadata(
        name=replica.version.name,
        versions=[str(version.number) for version in versions],
        platform=_platform(replica),
        inputs=[
            TensorMetadata(column.name, datatype_of(column), list(shape_of(column)))
            for column in interface_of(replica).inputs.values()
        ],
        outputs=[
            TensorMetadata(column.name, datatype_of(column), [-1, *column.shape])
            for column in interface_of(replica).outputs.values()
        ],
    )


def model_config(replica: Replica, max_batch_rows: int) -> ModelConfig:
    """Return how a model is served, as Triton words it."""
    return ModelConfig(
        name=replica.version.name,
        platform=_platform(replica),
        backend=replica.predictor.runtime.name,
        max_batch_size=max_batch_rows,
        version_policy=VersionPolicy(AllVersions()),
        input=[_config(column, has_axis=True) for column in interface_of(replica).inputs.values()],
        output=[_config(column, has_axis=False) for column in interface_of(replica).outputs.values()],
        dynamic_batching=DynamicBatching(),
    )


async def statistics(gateway: Gateway, version: Version | None = None) -> StatisticsList:
    """Return what the loaded versions did in all workers, or what one did."""
    status = await status_of(gateway)
    rows = [row for row in status.replicas if row.state in ("ready", "draining")]
    if version is not None:
        rows = [row for row in rows if row.reference == version.reference]
    return StatisticsList([_statistics(row, gateway.engine) for row in rows])


def _platform(replica: Replica) -> str:
    return f"servery_{replica.predictor.runtime.name}"


def _config(column: Column, has_axis: bool) -> ConfigTensor:
    datatype = datatype_of(column)
    data_type = "TYPE_STRING" if datatype == BYTES else f"TYPE_{datatype}"
    if column.kind is Kind.TENSOR and column.shape:
        return ConfigTensor(column.name, data_type, list(column.shape))
    # Every tensor of a configuration has one axis at least.
    return ConfigTensor(column.name, data_type, [1], None if has_axis else Reshape([]))


def _statistics(row: ReplicaStatus, engine: Engine) -> ModelStatistics:
    name, _, number = row.reference.partition("@")
    here = [found for id_ in (row.reference, *row.answers_to) if (found := engine.loaded(id_))]
    nothing = Duration(0, 0)
    return ModelStatistics(
        name=name,
        version=number,
        last_inference=_milliseconds_since_1970(here[0].last_used) if here and row.requests else 0,
        inference_count=row.rows,
        execution_count=row.batches,
        inference_stats=InferStatistics(
            success=_duration(row.requests, row.seconds),
            fail=Duration(row.errors, 0),
            queue=_duration(row.requests, row.queue_seconds),
            compute_input=nothing,
            compute_infer=_duration(row.batches, row.compute_seconds),
            compute_output=nothing,
        ),
    )


def _duration(count: int, seconds: float) -> Duration:
    return Duration(count, round(seconds * 1e9))


def _milliseconds_since_1970(used: float) -> int:
    return round((time.time() - (time.perf_counter() - used)) * 1000)
