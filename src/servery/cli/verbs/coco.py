"""Write what a detector finds in a COCO folder as the results that COCO's tools read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import servery
from servery.cli.options import Reference


def verb(
    reference: Reference,
    folder: Annotated[Path, typer.Argument(help="A folder with annotations.json and its pictures.")],
    output: Annotated[Path, typer.Argument(help="Where the list of results goes: a .json file.")],
) -> None:
    """Write what a detector finds in a COCO folder as the results that COCO's tools read."""
    count = servery.write_coco_results(reference, folder, output)
    print(f"{count:,} boxes in {output}")
