"""Look at data before training on it."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import servery
from servery.cli.options import AsJson, pairs
from servery.cli.output import print_json, print_table

group = typer.Typer(help="Look at data before training on it.", no_args_is_help=True)


@group.command()
def check(
    path: Annotated[str, typer.Argument(help="A csv, tsv, jsonl or parquet file, or a folder of pictures.")],
    target: Annotated[str, typer.Option(help="The column to learn.")] = "",
    kind: Annotated[
        list[str] | None, typer.Option(help="What a column is, e.g. --kind zip=category; repeatable.")
    ] = None,
    role: Annotated[
        list[str] | None, typer.Option(help="What a column is for, e.g. --role date=time; repeatable.")
    ] = None,
    json: AsJson = False,
) -> None:
    """Say what the columns are and what could spoil a training: duplicates, leaks, bad rows and more.

    Leaves with exit code 7 when a finding is an error.
    """
    dataset, findings = servery.check_data(
        path, target=target, kinds=pairs(kind, "--kind"), roles=pairs(role, "--role")
    )
    if json:
        print_json(
            {
                "rows": len(dataset),
                "fingerprint": dataset.source.fingerprint,
                "facts": dict(dataset.source.facts),
                "columns": [column.to_dict() for column in dataset.columns],
                "findings": [finding.to_dict() for finding in findings],
            }
        )
    else:
        facts = ", ".join(f"{name} {value}" for name, value in dataset.source.facts.items())
        print(f"{dataset.source.name}: {len(dataset):,} rows; {facts}\n")
        print_table(
            ["COLUMN", "KIND", "ROLE", "WHY"],
            [[c.name, c.kind.value, c.role.value, c.reason] for c in dataset.columns],
        )
        print()
        for finding in findings:
            print(f"{finding.severity:<8} {finding.message}")
        if not findings:
            print("Nothing found that could spoil a training.")
    if any(finding.severity == "error" for finding in findings):
        sys.exit(7)
