"""Servery's own stream of a transcription: a `piece` event a word while it is being heard, then the answer."""

from __future__ import annotations

from servery.errors import InputError
from servery.gateway.growing_native import Envelope, PieceEvent
from servery.gateway.listening import Listening, Telling, listened
from servery.gateway.message import Request, Response
from servery.gateway.prediction import Asked, Reader, content_type_of
from servery.gateway.sse import event
from servery.serving.replica import Replica
from servery.tasks.transcription import TRANSCRIPTION, SpokenWord


async def wants_words(request: Request) -> bool:
    """Return whether the client asks for events, of a model that transcribes; loads nothing.

    Raises:
        ModelNotFoundError: There is no such model.
    """
    if "text/event-stream" not in (request.header("accept") or ""):
        return False
    engine, reference = request.gateway.engine, request.parameters["model"]
    replica = engine.loaded(reference)
    task = replica.task.name if replica is not None else (await engine.version(reference)).task
    return task == TRANSCRIPTION.name


async def stream_words(request: Request, protocol: str, read: Reader, envelope: Envelope) -> Response:
    """Answer a transcription word by word: `piece` events, then one `answer`, or an `error`.

    Raises:
        InputError: Several recordings were sent; a stream tells one.
    """
    body, content_type = await request.body(), content_type_of(request)

    def read_one(replica: Replica) -> Asked:
        asked = read(body, content_type, replica)
        if len(asked.examples) != 1:
            raise InputError(
                f"{len(asked.examples)} recordings came; a stream tells one.",
                hint="send them one by one, or without Accept: text/event-stream",
                param="/inputs",
            )
        return asked

    def word(spoken: SpokenWord, _: int) -> bytes:
        return event(PieceEvent(0, spoken), "piece")

    def end(listening: Listening) -> bytes:
        return event(envelope(listening.predicted), "answer")

    telling = Telling(word, end, lambda predicted: [_version(predicted.replica)], "error")
    return await listened(request, protocol, request.parameters["model"], read_one, len(body), telling)


def _version(replica: Replica) -> tuple[bytes, bytes]:
    return b"x-model-version", replica.version.reference.encode()
