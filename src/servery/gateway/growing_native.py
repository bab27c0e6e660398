"""Servery's own stream of an answer that grows: `piece` events, and at the end the whole answer in its envelope."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from servery.errors import ServeryError
from servery.gateway.growing import Answers, Events, Wanted, streamed
from servery.gateway.message import Request, Response
from servery.gateway.prediction import (
    LARGE_BODY_BYTES,
    Asked,
    Predicted,
    Reader,
    content_type_of,
    predicted,
)
from servery.gateway.sse import event
from servery.schemas import PredictResponse
from servery.serving.grower import Grown
from servery.serving.replica import Replica


class PieceEvent(msgspec.Struct, frozen=True):
    """What one of the answers grew by.

    Attributes:
        index: Which of the outputs.
        piece: What came; the task says of what type.
    """

    index: int
    piece: Any


Envelope = Callable[[Predicted], PredictResponse]
"""Puts what was predicted into its envelope."""


async def wants_stream(request: Request) -> bool:
    """Return whether the client asks for events, of a model whose answers grow.

    Raises:
        ModelNotFoundError: There is no such model.
    """
    if "text/event-stream" not in (request.header("accept") or ""):
        return False
    # Loaded already, or about to be: of some tasks the answers of one model grow, and those of another do not.
    replica = await request.gateway.engine.replica(request.parameters["model"])
    return replica.grower is not None


async def stream_predicted(request: Request, protocol: str, read: Reader, envelope: Envelope) -> Response:
    """Answer a prediction piece by piece: `piece` events, then one `answer`, or an `error`."""
    body, content_type = await request.body(), content_type_of(request)
    asked: list[Asked] = []

    async def read_body(replica: Replica) -> list[Wanted]:
        if len(body) > LARGE_BODY_BYTES:
            asked.append(await asyncio.to_thread(read, body, content_type, replica))
        else:
            asked.append(read(body, content_type, replica))
        return [Wanted(example, asked[0].parameters) for example in asked[0].examples]

    def piece(_: Answers, grown: Grown) -> bytes:
        return event(PieceEvent(grown.place, grown.piece), "piece")

    def end(answers: Answers) -> bytes:
        return event(envelope(predicted(asked[0], answers.answered, answers.replica)), "answer")

    def error(error: ServeryError) -> bytes:
        return event(request.error_shape(error, request.id), "error")

    events = Events(piece, end, error)
    return await streamed(request, protocol, request.parameters["model"], read_body, events)
