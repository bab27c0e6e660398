"""Serve the registered models over HTTP, with the console and the API docs."""

from __future__ import annotations

from typing import Annotated

import typer

import servery
from servery.cli.output import print_facts


def verb(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "",
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 picks one.")] = None,
) -> None:
    """Serve the registered models over HTTP, with the console and the API docs."""
    servery.serve(changed(host, port), ready=announce)


def changed(host: str, port: int | None) -> servery.Settings:
    """Return the settings with what the command line says laid over them."""
    changes = {"host": host or None, "port": port}
    return servery.Settings().model_copy(update={k: v for k, v in changes.items() if v is not None})


def announce(url: str, new_key: str | None, settings: servery.Settings) -> None:
    """Say where the server listens, and the admin key if it was made just now."""
    print_facts([("Ready", url), ("Docs", f"{url}/docs"), ("Home", str(settings.home))])
    if new_key:
        print_facts([("Key", new_key), ("", f"shown once; also in {settings.admin_key_file} (mode 0600)")])
