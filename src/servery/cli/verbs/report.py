"""Write a version's report as one HTML file that opens without network."""

from __future__ import annotations

import shutil
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

import servery
from servery.cli.options import AsJson, Reference
from servery.cli.output import print_json


def verb(
    reference: Reference,
    output: Annotated[Path | None, typer.Option(help="Where to write a copy.")] = None,
    open: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    json: AsJson = False,
) -> None:
    """Write a version's report as one HTML file that opens without network."""
    version = servery.Workspace.open().registry.resolve(reference)
    path = version.folder / "report.html"
    if output is not None:
        shutil.copyfile(path, output)
        path = output
    if json:
        print_json({"model": version.reference, "report": str(path)})
    else:
        print(path)
    if open:
        webbrowser.open(path.absolute().as_uri())
