"""Measure a version again: on its test part, on other data, or by cross-validation."""

from __future__ import annotations

from typing import Annotated

import typer

import servery
from servery.cli.options import AsJson, Reference
from servery.cli.output import TerminalProgress, print_facts, print_json


def verb(
    reference: Reference,
    data: Annotated[str, typer.Option(help="Other data to measure on.")] = "",
    cross_validate: Annotated[int, typer.Option(help="Train and measure this many folds.")] = 0,
    repeats: Annotated[int, typer.Option(help="Deal the rows out to folds anew so many times.")] = 1,
    json: AsJson = False,
) -> None:
    """Measure a version again: on its test part, on other data, or by cross-validation."""
    progress = TerminalProgress(is_quiet=json)
    if cross_validate:
        result = servery.cross_validate(reference, cross_validate, repeats=repeats, progress=progress)
        if json:
            print_json(result.to_dict())
        else:
            print_facts(result.headline())
        return
    evaluation, _ = servery.evaluate(reference, data=data, progress=progress)
    if json:
        print_json(evaluation.to_dict())
        return
    print_facts(evaluation.headline())
    print(evaluation.verdict)
