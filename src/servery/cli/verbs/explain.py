"""Say why an input gets its answer: which of its parts speak for the label, and how much."""

from __future__ import annotations

from typing import Annotated

import typer

import servery
from servery.cli.input import read_input
from servery.cli.options import AsJson, Reference, limits_of
from servery.cli.output import print_json


def verb(
    reference: Reference,
    input: Annotated[
        str, typer.Argument(help="A text, a row as JSON, or @file; standard input when left out.")
    ] = "",
    label: Annotated[
        str | None, typer.Option(help="The label to explain; the best one when left out.")
    ] = None,
    reasons: Annotated[
        int, typer.Option(help="Say in words how many columns that speak most against the label.")
    ] = 0,
    counterfactual: Annotated[
        bool, typer.Option("--counterfactual", help="Find the smallest change that turns the answer.")
    ] = False,
    fix: Annotated[list[str] | None, typer.Option(help="A column that may not change; repeatable.")] = None,
    limit: Annotated[
        list[str] | None, typer.Option(help="A limit of a change, e.g. 'income<=60000'; repeatable.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Say why an input gets its answer: which of its parts speak for the label, and how much.

    Each part (a word, a column, a patch of a picture) is left out in turn; its number is by how much the label's score
    falls without it. With --reasons the numbers are the exact parts of a score that is a sum over columns, as those of
    a scorecard and of trees are.
    """
    question = {"fixed": fix or [], "limits": limits_of(limit or [])} if counterfactual else None
    explanations = servery.explain(
        reference, read_input(input), label, reasons=reasons, counterfactual=question
    )
    if json:
        print_json(explanations)
        return
    for explanation in explanations:
        print("\n".join(servery.explanation_lines(explanation)))
