"""One prediction, whatever protocol asked for it: read within bounds, answered through the queue, metered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from servery.errors import DeadlineError, InputError, UnsupportedMediaError
from servery.gateway.message import Request, milliseconds
from servery.gateway.strict_json import converted, decoded
from servery.schemas import Notice
from servery.serving.batcher import Answered
from servery.serving.replica import Replica
from servery.tasks.form import Example
from servery.tasks.task import Parameters

UNTOLD = ("", "application/octet-stream", "application/x-www-form-urlencoded")
"""Content types that say nothing about a body: none, and what clients set on their own."""
LARGE_BODY_BYTES = 256 * 2**10
"""From this size on a body is read in a thread, so that it does not hold up everyone else."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks of a model, read and checked."""

    examples: list[Example]
    parameters: Parameters
    is_batch: bool


@dataclass(frozen=True, slots=True)
class Predicted:
    """A replica's answer to what was asked."""

    asked: Asked
    answered: Answered
    replica: Replica

    @property
    def usage(self) -> dict[str, float]:
        """The model's own unit to how many, and the seconds of computing."""
        return {
            self.replica.task.unit: len(self.asked.examples),
            "compute_seconds": round(self.answered.compute_seconds, 6),
        }

    @property
    def warnings(self) -> list[Notice]:
        """What to know about the answers."""
        if not self.replica.version.lineage.get("is_sample"):
            return []
        return [Notice("sample_data", "This model learned from generated sample data; do not rely on it.")]


Reader = Callable[[bytes, str, Replica], Asked]
"""Reads a body of a content type as a protocol defines it."""


async def predict(request: Request, protocol: str, read: Reader) -> Predicted:
    """Answer a request for the model its path names.

    Raises:
        ModelNotFoundError: There is no such model.
        InputError: The body is not what it takes.
        DeadlineError: The deadline passed.
        CancelledError: The client went away.
    """
    body = await request.body()
    deadline = request.deadline()
    try:
        async with asyncio.timeout_at(deadline):
            predicted: Predicted = await request.unless_gone(
                _predict(request, protocol, read, body, deadline)
            )
    except TimeoutError:
        raise DeadlineError(
            "The deadline passed before the answer was ready.",
            hint="Send a larger X-Deadline-Ms, or fewer inputs.",
        ) from None
    answered, replica = predicted.answered, predicted.replica
    request.timings["queue"] = milliseconds(answered.queue_seconds)
    request.timings["compute"] = milliseconds(answered.compute_seconds)
    if request.key is not None:
        request.gateway.telemetry.meter(
            request.key.id,
            replica.version.reference,
            replica.task.unit,
            len(predicted.asked.examples),
            answered.compute_seconds,
        )
    return predicted


async def _predict(request: Request, protocol: str, read: Reader, body: bytes, deadline: float) -> Predicted:
    replica = await request.gateway.engine.replica(request.parameters["model"])
    with replica.lease():
        version = replica.version
        request.notes.update(
            model=version.name, version=str(version.number), task=replica.hub_task, protocol=protocol
        )
        content_type = (request.header("content-type") or "").partition(";")[0].strip().lower()
        if len(body) > LARGE_BODY_BYTES:
            asked = await asyncio.to_thread(read, body, content_type, replica)
        else:
            asked = read(body, content_type, replica)
        return Predicted(asked, await replica.answer(asked.examples, asked.parameters, deadline), replica)


def is_json(body: bytes, content_type: str) -> bool:
    """Return whether a body is JSON: it says so, or says nothing of use and begins like an object.

    >>> is_json(b'{"inputs": 1}', "application/x-www-form-urlencoded")
    True
    """
    return content_type == "application/json" or (content_type in UNTOLD and body.lstrip()[:1] == b"{")


def read_json(body: bytes, names: frozenset[str]) -> dict[str, Any]:
    """Return a body that must be an object with no other than these names.

    Raises:
        InputError: It is not.
    """
    value = decoded(body)
    if not isinstance(value, dict):
        raise InputError('The body must be an object with "inputs".', param="/", hint='{"inputs": ...}')
    for name in value:
        if name not in names:
            raise InputError(
                f"The body has {name[:100]!r}; it may have {', '.join(sorted(names))}.",
                param=f"/{name[:100]}",
            )
    return value


def asked_json(inputs: Any, parameters: Mapping[str, Any] | None, replica: Replica) -> Asked:
    """Return decoded inputs and parameters, checked against the model.

    Raises:
        InputError: They do not fit.
    """
    return Asked(
        replica.read(inputs),
        converted(parameters or {}, replica.task.parameters, "/parameters"),
        replica.form.is_batch(inputs),
    )


def asked_bytes(body: bytes, content_type: str, replica: Replica) -> Asked:
    """Return a raw body, e.g. a picture, checked against the model.

    Raises:
        InputError: It does not fit.
    """
    if not body:
        raise UnsupportedMediaError("The body is empty.", hint='Send {"inputs": ...} as application/json.')
    return Asked(replica.read_bytes(body, content_type), replica.task.parameters(), is_batch=False)
