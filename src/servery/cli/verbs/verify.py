"""Check every file of the registered versions against its sha256."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import servery
from servery.cli.options import AsJson
from servery.cli.output import print_json, print_table


def verb(
    reference: Annotated[str, typer.Argument(help="name, name@3 or name@alias; all when left out")] = "",
    json: AsJson = False,
) -> None:
    """Check every file of the registered versions against its sha256."""
    registry = servery.Workspace.open().registry
    no_problems: list[str] = []
    if reference:
        registry.verify(reference)
        checked = [(registry.resolve(reference).reference, no_problems)]
    else:
        checked = [(version.reference, problems) for version, problems in registry.verify_all()]
    if json:
        print_json([{"model": name, "problems": problems} for name, problems in checked])
    else:
        print_table(
            ["MODEL", "STATE"], [[name, "; ".join(problems) or "whole"] for name, problems in checked]
        )
    if any(problems for _, problems in checked):
        sys.exit(1)
