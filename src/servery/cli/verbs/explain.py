"""Say why an input gets its answer: which of its parts speak for the label, and how much."""

from __future__ import annotations

from typing import Annotated

import typer

import servery
from servery.cli.input import read_input
from servery.cli.options import AsJson, Reference
from servery.cli.output import print_json


def verb(
    reference: Reference,
    input: Annotated[
        str, typer.Argument(help="A text, a row as JSON, or @file; standard input when left out.")
    ] = "",
    label: Annotated[
        str | None, typer.Option(help="The label to explain; the best one when left out.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Say why an input gets its answer: which of its parts speak for the label, and how much.

    Each part (a word, a column, a patch of a picture) is left out in turn; its number is by how much the label's score
    falls without it.
    """
    explanations = servery.explain(reference, read_input(input), label)
    if json:
        print_json(explanations)
        return
    for explanation in explanations:
        print("\n".join(servery.explanation_lines(explanation)))
