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
from servery.errors import NotFoundError, StorageError


def verb(
    reference: Reference,
    output: Annotated[Path | None, typer.Option(help="Where to write a copy.")] = None,
    open: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    json: AsJson = False,
) -> None:
    """Write a version's report as one HTML file that opens without network."""
    version = servery.Workspace.open().registry.resolve(reference)
    path = version.folder / "report.html"
    if not path.exists():
        raise NotFoundError(
            f"{version.reference} was made elsewhere and has no report.",
            hint=f"servery evaluate {version.reference} --data FILE",
        )
    if output is not None:
        try:
            shutil.copyfile(path, output)
        except OSError as error:
            message = f"{output} cannot be written: {error.strerror}."
            raise StorageError(
                message, hint="name a file in a folder that exists", param="--output"
            ) from error
        path = output
    if json:
        print_json({"model": version.reference, "report": str(path)})
    else:
        print(path)
    if open:
        webbrowser.open(path.absolute().as_uri())
