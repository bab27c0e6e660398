"""Serve the registered models over HTTP, with the console and the API docs."""

from __future__ import annotations

from typing import Annotated

import typer

import servery
from servery.cli.output import print_facts


def verb(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "",
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 picks one.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=256, help="Processes that share the port.")
    ] = None,
) -> None:
    """Serve the registered models over HTTP, with the console and the API docs."""
    servery.serve(changed(host, port, workers), ready=announce)


def changed(host: str, port: int | None, workers: int | None) -> servery.Settings:
    """Return the settings with what the command line says laid over them."""
    changes = {"host": host or None, "port": port, "workers": workers}
    return servery.Settings().model_copy(update={k: v for k, v in changes.items() if v is not None})


def announce(url: str, new_key: str | None, settings: servery.Settings) -> None:
    """Say where the server listens, and the admin key if it was made just now."""
    grpc = [("gRPC", f"{settings.host}:{settings.grpc_port}")] if settings.grpc_port is not None else []
    workers = [("Workers", str(settings.workers))] if settings.workers > 1 else []
    facts = [("Ready", url), *grpc, ("Docs", f"{url}/docs"), ("Home", str(settings.home)), *workers]
    print_facts(facts)
    if new_key:
        print_facts([("Key", new_key), ("", f"shown once; also in {settings.admin_key_file} (mode 0600)")])
