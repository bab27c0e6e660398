"""Show what keys used."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

import servery
from servery.cli.options import AsJson
from servery.cli.output import print_json, print_table
from servery.errors import UsageError

COLUMNS = {
    "start": "START",
    "name": "KEY",
    "key": "KEY ID",
    "model": "MODEL",
    "unit": "UNIT",
    "requests": "REQUESTS",
    "units": "UNITS",
    "compute_seconds": "COMPUTE S",
}


def verb(
    by: Annotated[
        str, typer.Option(help="What to tell apart: key, model, and one of hour, day, month.")
    ] = "key,model",
    since: Annotated[
        str, typer.Option(help="From this moment (UTC) on, or so long ago: 2026-03-01, 24h.")
    ] = "",
    until: Annotated[str, typer.Option(help="Before this moment, or so long ago.")] = "",
    key: Annotated[str, typer.Option(help="Only this key, by id or name.")] = "",
    model: Annotated[str, typer.Option(help="Only this model, as name or name@3.")] = "",
    json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
) -> None:
    """Show what keys used: requests, units and seconds of computing, by key, model and time."""
    if json and as_csv:
        raise UsageError("--json and --csv exclude each other.", param="--csv")
    groups = [group.strip() for group in by.split(",") if group.strip()]
    database = servery.Workspace.open().keys.database
    totals = servery.read_usage(database, groups, since=since, until=until, key=key, model=model)
    rows = [asdict(total) for total in totals]
    if json:
        print_json(rows)
        return
    columns = [name for name in COLUMNS if _is_told(name, groups)]
    if as_csv:
        _print_csv(columns, rows)
    else:
        print_table([COLUMNS[name] for name in columns], [[row[name] for name in columns] for row in rows])


def _is_told(column: str, groups: Sequence[str]) -> bool:
    if column == "start":
        return not {"hour", "day", "month"}.isdisjoint(groups)
    if column in ("key", "name"):
        return "key" in groups
    return column != "model" or "model" in groups


def _print_csv(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([row[name] for name in columns] for row in rows)
