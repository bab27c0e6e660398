"""Starts the whole house: the gateway with the console's pages, over an opened data home."""

from __future__ import annotations

import os
from collections.abc import Callable

from servery.console.pages import pages
from servery.gateway import server
from servery.settings import Settings


def serve(settings: Settings, ready: Callable[[str, str | None, Settings], None] | None = None) -> None:
    """Serve until a signal stops it.

    Args:
        settings: Where the data home is and where to listen.
        ready: Called once the server listens, with its URL, the admin key if it was made just now, and the settings.

    Raises:
        ConflictError: The port is in use.
    """
    server.serve(settings, pages(), ready)


def child_environment(settings: Settings) -> dict[str, str]:
    """Return the environment in which a child process works on the same data home."""
    own = {
        "SERVERY_HOME": str(settings.home),
        "SERVERY_HOST": settings.host,
        "SERVERY_PORT": str(settings.port),
    }
    return {**os.environ, **own}
