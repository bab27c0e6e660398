"""What OpenAI's clients expect around every answer: its time, and errors under the codes and statuses they know."""

from __future__ import annotations

import time
from functools import wraps
from typing import Any

from servery.errors import InputError, ServeryError
from servery.gateway.message import Request, Response
from servery.gateway.route import Handler

CODES = {
    "model.not_found": "model_not_found",
    "access.key_missing": "invalid_api_key",
    "quota.exceeded": "insufficient_quota",
    "rate.exceeded": "rate_limit_exceeded",
    "input.unsupported": "unsupported_parameter",
}
"""Our stable codes to those that OpenAI's documentation names and clients compare with."""


def openai_error(error: ServeryError, request_id: str) -> dict[str, Any]:
    """Return an error as OpenAI's clients read it; a code of ours that they do not know stays as it is.

    >>> from servery.errors import ModelNotFoundError
    >>> openai_error(ModelNotFoundError("There is no model 'gpt'."), "req_1")["error"]["code"]
    'model_not_found'
    """
    body = error.body(request_id)
    body["error"]["code"] = CODES.get(error.code, error.code)
    return body


def as_openai(handler: Handler) -> Handler:
    """Return the handler with OpenAI's manners.

    Its answers and errors carry `openai-processing-ms` (of a stream, until its head), and what is wrong with a request
    is told with 400, where the house's own protocol says 422.
    """

    @wraps(handler)
    async def answer(request: Request) -> Response:
        started = time.perf_counter()
        try:
            return await handler(request)
        except InputError as error:
            if error.http_status == 422:
                error.http_status = 400  # type: ignore[misc]
            raise
        finally:
            took_ms = round((time.perf_counter() - started) * 1000)
            request.more_headers.append((b"openai-processing-ms", b"%d" % took_ms))

    return answer
