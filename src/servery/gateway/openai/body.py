"""How a body of OpenAI's is read and asked: the model it names, its inputs, and errors that point into it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from servery.errors import InputError
from servery.gateway.capability import model_for
from servery.gateway.message import Request
from servery.gateway.openapi import LONGEST_TEXT, MOST_VALUES
from servery.gateway.prediction import LARGE_BODY_BYTES, Asked, Predicted, ask
from servery.schemas import Reference
from servery.serving.replica import Replica

PROTOCOL = "openai"
InputText = Annotated[str, Meta(max_length=LONGEST_TEXT)]
InputTexts = Annotated[list[InputText], Meta(min_length=1, max_length=MOST_VALUES)]
User = Annotated[str, Meta(max_length=1024)]


class OpenAiRequest(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """What every body has: the model, and who the caller's own user is, which is read and not kept."""

    model: Reference
    user: User | None = None


class TokenUsage(msgspec.Struct):
    """What an answer counts as, where tokens are counted."""

    prompt_tokens: int
    total_tokens: int


async def ask_model(
    request: Request,
    reference: str,
    tasks: Sequence[str],
    read: Callable[[Replica], Asked],
    place: str,
    size: int = 0,
) -> Predicted:
    """Ask the model that a body names, if it is of one of these tasks.

    Args:
        request: Who asks.
        reference: The model.
        tasks: Names of the tasks that can answer.
        read: Reads what is asked, once the model is known.
        place: JSON pointer of the inputs in this protocol's body.
        size: Characters or bytes to read; many are read in a thread.

    Raises:
        ModelTaskError: The model is of another task.
        ServeryError: As `prediction.ask`.
    """
    await model_for(request, reference, tasks)

    async def read_here(replica: Replica) -> Asked:
        return await asyncio.to_thread(read, replica) if size > LARGE_BODY_BYTES else read(replica)

    with pointing_at(place):
        return await ask(request, PROTOCOL, reference, read_here)


def version_headers(predicted: Predicted) -> list[tuple[bytes, bytes]]:
    """Return the headers that say which version answered, and what to know about its answers."""
    headers = [(b"x-model-version", predicted.replica.version.reference.encode())]
    if predicted.warnings:
        headers.append((b"x-warnings", ",".join(notice.code for notice in predicted.warnings).encode()))
    return headers


@contextmanager
def pointing_at(place: str) -> Iterator[None]:
    """Let errors about inputs point at where these stand in this protocol's body."""
    try:
        yield
    except InputError as error:
        error.message = error.message.replace("/inputs", place)
        if error.param is not None and error.param.startswith("/inputs"):
            error.param = place + error.param.removeprefix("/inputs")
        raise


def characters(inputs: Any) -> int:
    """Return how many characters a text or a list of texts has."""
    return len(inputs) if isinstance(inputs, str) else sum(map(len, inputs))
