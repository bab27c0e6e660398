"""Make, list, limit and revoke the keys of those who may call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer

import servery
from servery.cli.options import AsJson, seconds
from servery.cli.output import print_facts, print_json, print_table
from servery.errors import UsageError

SCOPES = "What it may do: predict, predict:MODEL, models:read, metrics:read or admin; repeatable."

LIMITS = (
    "Limits follow the name: --requests-per-minute 600, --rows-per-day 100000, --tokens-per-month 1000000, "
    "--images-total 500 and so on for every unit that a task counts; --weight 2 is twice the share of a busy server."
)
WITH_LIMITS = {"ignore_unknown_options": True, "allow_extra_args": True}

group = typer.Typer(help="Make, list, limit and revoke the keys of those who may call.", no_args_is_help=True)


@group.command(context_settings=WITH_LIMITS, epilog=LIMITS)
def create(
    context: typer.Context,
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
        limits=servery.checked_limits(limits_in(name, context.args)),
        actor="local",
    )
    if json:
        print_json({**asdict(record), "secret": secret})
        return
    print_facts([("Key", secret), ("", "shown once; only its hash is kept"), ("Id", record.id)])
    print_facts([("May", ", ".join(record.scopes)), ("Limits", _limits(record.limits))])


@group.command("list")
def list_keys(json: AsJson = False) -> None:
    """List the keys, without their secrets."""
    records = [asdict(record) for record in servery.Workspace.open().keys.list()]
    if json:
        print_json(records)
        return
    columns = ["id", "name", "scopes", "limits", "created_at", "expires_at", "revoked_at", "last_used_at"]
    rows = [[_cell(record[column]) for column in columns] for record in records]
    print_table([column.upper() for column in columns], rows)


@group.command(context_settings=WITH_LIMITS, epilog=LIMITS + " The word none removes a limit.")
def limit(
    context: typer.Context,
    key: Annotated[str, typer.Argument(help="The key's id or name.")],
    json: AsJson = False,
) -> None:
    """Change limits of a key; a running server follows within half a second."""
    changes = servery.checked_limits(limits_in(key, context.args))
    record = servery.Workspace.open().keys.limit(key, changes, actor="local")
    if json:
        print_json(asdict(record))
    else:
        print_facts([("Key", record.name), ("Limits", _limits(record.limits))])


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


def limits_in(key: str, words: Sequence[str]) -> dict[str, int | float | None]:
    """Read limits that came as options whose names are not known beforehand.

    >>> limits_in("app", ["--rows-per-day", "500", "--weight=1.5", "--rows-total", "none"])
    {'rows_per_day': 500, 'weight': 1.5, 'rows_total': None}
    """
    if key.startswith("-"):
        raise UsageError(
            "The key comes before its limits.", hint=f"servery keys limit NAME {key} ...", param="key"
        )
    found = {}
    waiting = [part for word in words for part in (word.split("=", 1) if word.startswith("--") else [word])]
    if len(waiting) % 2 or not all(name.startswith("--") for name in waiting[::2]):
        raise UsageError(f"{' '.join(words)!r} is no list of limits.", hint="--rows-per-day 500 --weight 2")
    for name, number in zip(waiting[::2], waiting[1::2], strict=True):
        found[name.removeprefix("--").replace("-", "_")] = _number(name, number)
    return found


def _number(name: str, text: str) -> int | float | None:
    if text == "none":
        return None
    try:
        return int(text) if text.isdigit() else float(text)
    except ValueError as error:
        raise UsageError(f"{name} is {text!r}; it must be a number or none.", param=name) from error


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return _limits(value)
    return ", ".join(value) if isinstance(value, tuple) else value or ""


def _limits(limits: Mapping[str, float]) -> str:
    return ", ".join(f"{name}={size}" for name, size in limits.items()) or "none"
