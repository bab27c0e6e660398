"""Start the server, and train a starter model for every field behind it."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated

import typer

import servery
from servery.cli.verbs.serve import announce, changed


def verb(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "",
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 picks one.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Processes that share the port.")
    ] = None,
) -> None:
    """Start the server, and train a starter model for every field behind it."""
    starters: list[subprocess.Popen[bytes]] = []

    def ready(url: str, new_key: str | None, settings: servery.Settings) -> None:
        announce(url, new_key, settings)
        command = [sys.executable, "-m", "servery.cli.main", "starters", "--url", url, "--beside-server"]
        environment = servery.child_environment(settings)
        starters.append(subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL))

    try:
        servery.serve(changed(host, port, workers), ready=ready)
    finally:
        for child in starters:
            # A starter that is stopped saves its state; the next `servery up` continues it.
            child.terminate()
            child.wait(timeout=30)
