"""Choose a recipe for your data and write the plan of its training."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import servery
from servery.cli.options import AsJson, seconds
from servery.cli.output import print_json, print_table


def verb(
    field: Annotated[str, typer.Option(help="The field, see `servery fields`.")],
    data: Annotated[str, typer.Option(help="A file, a folder, a known data set, or 'sample'.")],
    name: Annotated[str, typer.Option(help="Name of the model in the registry.")] = "model",
    task: Annotated[str, typer.Option(help="The question, where the field answers several.")] = "",
    target: Annotated[str, typer.Option(help="The column to learn.")] = "",
    deadline: Annotated[str, typer.Option(help="The time at hand, e.g. 10m.")] = "",
    output: Annotated[Path | None, typer.Option(help="Where to write plan.toml.")] = None,
    json: AsJson = False,
) -> None:
    """Choose a recipe for your data and write the plan of its training."""
    limit = seconds(deadline) if deadline else 0.0
    plan = servery.Plan(name=name, field=field, data=data, task=task, target=target, deadline_seconds=limit)
    advice, full = servery.advise(plan)
    if output is not None:
        output.write_text(full.to_toml(), encoding="utf-8")
    if json:
        print_json({"recipe": full.recipe, "reason": full.reason, "candidates": advice.to_list()})
        return
    print(f"Advice    {full.reason}\n")
    print_table(
        ["RECIPE", "SECONDS", "MEMORY", "WHY"],
        [
            [c["recipe"], f"{c['seconds']:.0f}", f"{c['memory_bytes'] / 2**20:.0f} MB", c["note"]]
            for c in advice.to_list()
        ],
    )
    if output is not None:
        print(f"\nNext      servery train --plan {output}")
