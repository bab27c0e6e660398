"""Remove a version; its number is never used again."""

from __future__ import annotations

from typing import Annotated

import typer

import servery
from servery.cli.options import AsJson, Reference
from servery.cli.output import print_json
from servery.errors import UsageError


def verb(
    reference: Reference,
    force: Annotated[bool, typer.Option("--force", help="Even if an alias points at it.")] = False,
    json: AsJson = False,
) -> None:
    """Remove a version; its number is never used again."""
    registry = servery.Workspace.open().registry
    if "@" not in reference:
        found = registry.resolve(reference)
        raise UsageError(
            f"{reference!r} alone does not say which version.", hint=f"servery remove {found.reference}"
        )
    version = registry.resolve(reference)
    registry.remove(version.reference, actor="local", force=force)
    if json:
        print_json({"removed": version.reference})
    else:
        print(f"Removed {version.reference}")
