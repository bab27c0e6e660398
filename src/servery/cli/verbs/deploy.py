"""Point an alias at a version; a running server swaps it in without losing a request."""

from __future__ import annotations

from typing import Annotated

import typer

import servery
from servery.cli.options import AsJson, Reference
from servery.cli.output import print_facts, print_json


def verb(
    reference: Reference,
    alias: Annotated[str, typer.Option(help="The alias to move.")] = "production",
    force: Annotated[bool, typer.Option("--force", help="Even if the report says not to trust it.")] = False,
    json: AsJson = False,
) -> None:
    """Point an alias at a version; a running server swaps it in without losing a request."""
    version = servery.deploy(reference, alias, force=force)
    if json:
        print_json({"model": version.reference, "alias": alias})
        return
    print_facts([("Deployed", f"{version.reference} is {version.name}@{alias}")])
    settings = servery.Settings()
    if servery.is_serving(settings):
        print_facts([("Serving", f"http://{settings.host}:{settings.port}/v1/models/{version.name}@{alias}")])
    else:
        print_facts([("Next", "servery serve")])
