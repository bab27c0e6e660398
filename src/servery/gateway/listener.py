"""What listens beside HTTP, e.g. gRPC: started with each worker, on a port that all workers share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from servery.discovery import modules
from servery.settings import Settings

if TYPE_CHECKING:
    from servery.gateway.app import Gateway


class Listener(ABC):
    """A further port of the server. A file under `listeners/` has one, as its module-level `LISTENER`.

    Attributes:
        name: What its address is called, e.g. "grpc".
        port_setting: The setting that holds its port, e.g. "grpc_port". The server reserves that port before any
            worker starts, and says so when it is taken.
    """

    name: ClassVar[str]
    port_setting: ClassVar[str]

    @abstractmethod
    async def start(self, gateway: Gateway, settings: Settings) -> str | None:
        """Begin to listen, on the event loop of a worker.

        Args:
            gateway: What answers.
            settings: With the real port in `port_setting`, never 0. The port is held by a socket with SO_REUSEPORT:
                bind with that option too.

        Returns:
            The address, e.g. "127.0.0.1:8001"; None when it is not served here, e.g. for want of an extra.
        """

    @abstractmethod
    async def stop(self, grace_seconds: float) -> None:
        """Take nothing new, and give what is under way so long to finish."""


def listeners() -> tuple[Listener, ...]:
    """Return the listeners of every file under `listeners/`."""
    return tuple(module.LISTENER for module in modules("servery.gateway.listeners"))
