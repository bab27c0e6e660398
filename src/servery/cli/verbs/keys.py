"""Make, list and revoke the keys of those who may call."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

import servery
from servery.cli.options import AsJson, seconds
from servery.cli.output import print_facts, print_json, print_table

SCOPES = "What it may do: predict, predict:MODEL, models:read, metrics:read or admin; repeatable."

group = typer.Typer(help="Make, list and revoke the keys of those who may call.", no_args_is_help=True)


@group.command()
def create(
    name: Annotated[str, typer.Argument(help="Who or what the key is for.")],
    scope: Annotated[
        list[str] | None,
        typer.Option(help=SCOPES),
    ] = None,
    expires: Annotated[str, typer.Option(help="After this long, e.g. 720h.")] = "",
    json: AsJson = False,
) -> None:
    """Make a key; its secret is shown this once."""
    expires_at = datetime.now(UTC) + timedelta(seconds=seconds(expires)) if expires else None
    record, secret = servery.Workspace.open().keys.create(
        name,
        servery.checked_scopes(scope or ["predict", "models:read"]),
        expires_at=expires_at,
        actor="local",
    )
    if json:
        print_json({**asdict(record), "secret": secret})
        return
    print_facts([("Key", secret), ("", "shown once; only its hash is kept"), ("Id", record.id)])
    print_facts([("May", ", ".join(record.scopes))])


@group.command("list")
def list_keys(json: AsJson = False) -> None:
    """List the keys, without their secrets."""
    records = [asdict(record) for record in servery.Workspace.open().keys.list()]
    if json:
        print_json(records)
        return
    columns = ["id", "name", "scopes", "created_at", "expires_at", "revoked_at"]
    rows = [[", ".join(r[c]) if c == "scopes" else (r[c] or "") for c in columns] for r in records]
    print_table([column.upper() for column in columns], rows)


@group.command()
def revoke(
    key: Annotated[str, typer.Argument(help="The key's id or name.")],
    json: AsJson = False,
) -> None:
    """Revoke a key; a running server refuses it within half a second."""
    servery.Workspace.open().keys.revoke(key, actor="local")
    if json:
        print_json({"revoked": key})
    else:
        print(f"Revoked {key}")


@group.command()
def admin() -> None:
    """Print this data home's admin key, making it if there is none."""
    print(servery.admin_key())
