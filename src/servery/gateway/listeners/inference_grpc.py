"""The Open Inference Protocol over gRPC, on a port of its own and on the same event loop as HTTP."""

from __future__ import annotations

from typing import Any

import structlog

from servery.errors import ConflictError, MissingExtraError
from servery.gateway.app import Gateway
from servery.gateway.inference.grpc_calls import Calls
from servery.gateway.inference.grpc_gate import gate
from servery.gateway.inference.grpc_service import OPEN_METHODS, handlers
from servery.gateway.listener import Listener
from servery.settings import Settings

IDLE_SECONDS = 300
"""How long a connection without calls stays open."""
STREAMS_AT_ONCE = 1000
"""Calls at once on one connection."""

log = structlog.get_logger("servery.grpc")


class InferenceGrpc(Listener):
    """gRPC's own server in the worker."""

    name = "grpc"
    port_setting = "grpc_port"

    def __init__(self) -> None:
        self._server: Any = None

    async def start(self, gateway: Gateway, settings: Settings) -> str | None:
        """Begin to listen; None where the extra `grpc` is not installed.

        Raises:
            ConflictError: The port cannot be listened on.
        """
        try:
            import grpc

            calls = Calls(gateway)
            services, interceptors = handlers(calls), [gate(calls, OPEN_METHODS)]
        except (ImportError, MissingExtraError):
            log.info("gRPC is off", hint="pip install 'servery[grpc]'")
            return None
        host = settings.host if ":" not in settings.host.strip("[]") else f"[{settings.host.strip('[]')}]"
        address = f"{host}:{settings.grpc_port}"
        self._server = grpc.aio.server(
            handlers=services, interceptors=interceptors, options=_options(settings)
        )
        try:
            self._server.add_insecure_port(address)
        except RuntimeError as error:
            raise ConflictError(
                f"{address} cannot be listened on for gRPC.",
                hint="Set SERVERY_GRPC_PORT to another port, or to off.",
                param="grpc_port",
            ) from error
        await self._server.start()
        return address

    async def stop(self, grace_seconds: float) -> None:
        """Take nothing new, and give what is under way so long to finish."""
        if self._server is not None:
            await self._server.stop(grace_seconds)
            self._server = None


def _options(settings: Settings) -> list[tuple[str, int]]:
    return [
        ("grpc.max_receive_message_length", settings.max_body_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_metadata_size", settings.max_header_bytes),
        ("grpc.absolute_max_metadata_size", settings.max_header_bytes),
        ("grpc.max_concurrent_streams", STREAMS_AT_ONCE),
        ("grpc.max_connection_idle_ms", IDLE_SECONDS * 1000),
        ("grpc.server_handshake_timeout_ms", int(settings.header_timeout_seconds * 1000)),
        ("grpc.so_reuseport", 1),
    ]


LISTENER = InferenceGrpc()
