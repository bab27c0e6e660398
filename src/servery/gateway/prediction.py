"""One prediction, whatever protocol asked for it: read within bounds, answered through the queue, metered."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from servery.errors import InputError, UnsupportedMediaError
from servery.gateway.growing import Wanted, grow_whole
from servery.gateway.message import Request, milliseconds
from servery.gateway.strict_json import LARGE_BODY_BYTES as LARGE_BODY_BYTES
from servery.gateway.strict_json import converted, decoded
from servery.models.notices import notices_of
from servery.schemas import Notice
from servery.serving.batcher import Answered
from servery.serving.replica import Replica
from servery.tasks.form import Example, Form
from servery.tasks.task import Parameters

UNTOLD = ("", "application/octet-stream", "application/x-www-form-urlencoded")
"""Content types that say nothing about a body: none, and what clients set on their own."""
LONGEST_EXAMPLE = 300
"""Characters of an example that still stands in a hint."""


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
    more_units: int = 0
    """Of work that came after the answers."""
    more_seconds: float = 0.0

    @property
    def usage(self) -> dict[str, float]:
        """The model's own unit to how many, and the seconds of computing."""
        return {
            self.replica.task.unit: self.replica.task.units_of(self.answered.answers) + self.more_units,
            "compute_seconds": round(self.answered.compute_seconds + self.more_seconds, 6),
        }

    @property
    def warnings(self) -> list[Notice]:
        """What to know about the answers."""
        signature, lineage = self.replica.predictor.signature, self.replica.version.lineage
        told = notices_of(self.replica.task, self.answered.answers, self.asked.examples, signature, lineage)
        return [Notice(code, message) for code, message in told.items()]


Reader = Callable[[bytes, str, Replica], Asked]
"""Reads a body of a content type as a protocol defines it."""


async def predict(request: Request, protocol: str, read: Reader) -> Predicted:
    """Answer a request for the model its path names; see `ask`."""
    body = await request.body()
    content_type = content_type_of(request)

    async def read_body(replica: Replica) -> Asked:
        if len(body) > LARGE_BODY_BYTES:
            return await asyncio.to_thread(read, body, content_type, replica)
        return read(body, content_type, replica)

    return await ask(request, protocol, request.parameters["model"], read_body)


async def ask(
    request: Request, protocol: str, reference: str, read: Callable[[Replica], Awaitable[Asked]]
) -> Predicted:
    """Answer a request whose body has been read, through the model's queue, reserved and booked.

    Args:
        request: Who asks, and until when.
        protocol: What telemetry calls it.
        reference: The model. Where it stood in the body, `request.check_model` comes before.
        read: Reads what is asked, once the model is known.

    Raises:
        ModelNotFoundError: There is no such model.
        InputError: What came is not what it takes.
        QuotaError: The key has not enough left.
        DeadlineError: The deadline passed.
        CancelledError: The client went away.
    """
    deadline = request.deadline()
    found = await request.within(deadline, _ask(request, protocol, reference, read, deadline))
    request.timings["queue"] = milliseconds(found.answered.queue_seconds)
    request.timings["compute"] = milliseconds(found.answered.compute_seconds)
    return found


async def _ask(
    request: Request,
    protocol: str,
    reference: str,
    read: Callable[[Replica], Awaitable[Asked]],
    deadline: float,
) -> Predicted:
    replica = await request.gateway.engine.replica(reference)
    with replica.lease(), hinting(replica):
        request.note(replica, protocol)
        owner, weight = request.share
        if replica.grower is None:
            # Before the body is read: a refusal costs next to nothing.
            replica.make_room(1, deadline, owner, weight)
        asked = await read(replica)
        if replica.grower is not None:
            wanted = [Wanted(example, asked.parameters) for example in asked.examples]
            return predicted(asked, (await grow_whole(request, replica, wanted, deadline)).answered, replica)
        reservation = await request.reserve(replica, replica.task.most_units(asked.examples))
        try:
            answered = await replica.answer(asked.examples, asked.parameters, deadline, owner, weight)
        except BaseException:
            reservation.release()
            raise
        units = replica.task.units_of(answered.answers)
        reservation.settle(units, answered.compute_seconds)
        measures = request.measures
        measures.queue_seconds, measures.compute_seconds = answered.queue_seconds, answered.compute_seconds
        measures.batch_rows, measures.unit, measures.units = answered.batch_rows, replica.task.unit, units
        return predicted(asked, answered, replica)


def predicted(asked: Asked, answered: Answered, replica: Replica) -> Predicted:
    """Return the answers as they go back; see `Task.gathered`."""
    gathered = replica.task.gathered(answered.answers, asked.parameters)
    return Predicted(asked, msgspec.structs.replace(answered, answers=gathered), replica)


@contextmanager
def hinting(replica: Replica) -> Iterator[None]:
    """Give an error about what was sent, where it has no hint of its own, the model's example as one."""
    try:
        yield
    except InputError as error:
        if error.hint is None and (error.param or "").startswith("/"):
            shown = msgspec.json.encode(replica.predictor.signature.example).decode()
            where = f"GET /v1/models/{replica.version.reference}/openapi.json"
            is_helpful = shown != "null" and len(shown) <= LONGEST_EXAMPLE
            error.hint = f"this model's example: {shown}" if is_helpful else f"{where} tells what it takes"
        raise


def content_type_of(request: Request) -> str:
    """Return the content type of a request's body, without its parameters, in lower case."""
    return (request.header("content-type") or "").partition(";")[0].strip().lower()


def is_json(body: bytes, content_type: str, form: Form | None = None) -> bool:
    """Return whether a body is JSON: it says so, or says nothing of use and begins like an object.

    A model whose form reads bodies of this type as they are is never sent JSON under it.

    >>> is_json(b'{"inputs": 1}', "application/x-www-form-urlencoded")
    True
    """
    if form is not None and content_type in form.raw_types:
        return False
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
    checked = converted(parameters or {}, replica.task.parameters, "/parameters")
    examples = replica.task.prepared(replica.read(inputs), checked)
    columns = replica.predictor.signature.inputs
    return Asked(examples, checked, replica.form.is_batch(inputs, columns))


def asked_bytes(body: bytes, content_type: str, replica: Replica) -> Asked:
    """Return a raw body, e.g. a picture, checked against the model.

    Raises:
        InputError: It does not fit.
    """
    if not body:
        raise UnsupportedMediaError("The body is empty.", hint='Send {"inputs": ...} as application/json.')
    parameters = replica.task.parameters()
    examples = replica.task.prepared(replica.read_bytes(body, content_type), parameters)
    return Asked(examples, parameters, is_batch=False)
