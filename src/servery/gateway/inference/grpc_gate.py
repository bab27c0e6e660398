"""Asks for a key before a message is read: who has none gets no memory, and learns of no method."""

from __future__ import annotations

from typing import Any

from servery.errors import ServeryError, UnauthenticatedError
from servery.gateway.inference.grpc_calls import Call, Calls, headers_of
from servery.gateway.permission import Permission


def gate(calls: Calls, open_methods: frozenset[str]) -> Any:
    """Return the interceptor of a server.

    Args:
        calls: Counts and refuses.
        open_methods: Paths that need no key, e.g. "/grpc.health.v1.Health/Check".
    """
    import grpc

    class Gate(grpc.aio.ServerInterceptor):  # type: ignore[misc]
        async def intercept_service(self, continuation: Any, details: Any) -> Any:
            if details.method not in open_methods:
                try:
                    await calls.gateway.access.key_of(headers_of(details.invocation_metadata))
                except ServeryError:
                    return _refusal(calls, details.method)
            return await continuation(details)

    return Gate()


def _refusal(calls: Calls, path: str) -> Any:
    import grpc

    async def refuse(_: Any, context: Any) -> None:
        # The key is looked at again, and refused: this time as every error is, counted and logged.
        await calls.answer(Call(path.rpartition("/")[2], Permission.MODELS_READ, _never), b"", context)

    # As a stream of messages it is answered before the first one comes.
    return grpc.stream_stream_rpc_method_handler(refuse)


async def _never(_: Any, __: Any) -> None:
    raise UnauthenticatedError("This needs a valid key.")  # it became valid in between: let it be sent again
