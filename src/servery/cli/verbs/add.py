"""Register a model that was made elsewhere: of the Hugging Face Hub, of a folder, or behind another server."""

from __future__ import annotations

from typing import Annotated

import typer

import servery
from servery.cli.options import AsJson
from servery.cli.output import TerminalProgress, print_json


def verb(
    source: Annotated[
        str, typer.Argument(help="hf:organisation/name[@revision], a folder, or openai:URL#model.")
    ],
    name: Annotated[str, typer.Option(help="Name in the registry; like the source's when left out.")] = "",
    task: Annotated[str, typer.Option(help="The task it must answer, where its files leave that open.")] = "",
    field: Annotated[str, typer.Option(help="The field it is for; that of its kind when left out.")] = "",
    alias: Annotated[str, typer.Option(help="An alias it gets at once, e.g. production.")] = "",
    key_variable: Annotated[
        str, typer.Option(help="Of another server: the environment variable that holds its key.")
    ] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Even if it needs more memory than there is.")
    ] = False,
    json: AsJson = False,
) -> None:
    """Register a model that was made elsewhere: of the Hugging Face Hub, of a folder, or behind another server.

    Only weights as safetensors are read; code that comes with a model is never run.
    """
    progress = TerminalProgress(is_quiet=json)
    version = servery.add(
        source,
        name,
        task=task,
        field=field,
        key_variable=key_variable,
        force=force,
        aliases=[alias] if alias else [],
        progress=progress,
    )
    if json:
        print_json({"version": version.to_dict()})
        return
    progress.say("Saved", f"{version.reference}   {version.task}, {version.size_bytes / 2**20:,.0f} MB")
    print(f"Next      servery run {version.reference}")
    print(f"          servery deploy {version.reference} --alias production")
