"""The header in which OpenAI's clients read how long an answer took."""

from __future__ import annotations

import time
from functools import wraps

from servery.gateway.message import Request, Response
from servery.gateway.route import Handler


def timed(handler: Handler) -> Handler:
    """Return the handler, its answers and errors with `openai-processing-ms`; of a stream, until its head."""

    @wraps(handler)
    async def answer(request: Request) -> Response:
        started = time.perf_counter()
        try:
            return await handler(request)
        finally:
            took_ms = round((time.perf_counter() - started) * 1000)
            request.more_headers.append((b"openai-processing-ms", str(took_ms).encode()))

    return answer
