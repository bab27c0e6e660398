"""Moves an alias to a version; a running server swaps it in without losing a request."""

from __future__ import annotations

from servery.errors import UntrustworthyError
from servery.pipeline.workspace import Workspace
from servery.registry.registry import Version


def deploy(
    reference: str,
    alias: str = "production",
    workspace: Workspace | None = None,
    *,
    force: bool = False,
    actor: str = "local",
) -> Version:
    """Point an alias at a version, after checking every file of it.

    Args:
        reference: The version: "name" (the newest), "name@3" or "name@alias".
        alias: The alias to move.
        workspace: Where it is registered; None opens the default data home.
        force: Deploy even if its report says that its score is not to be trusted.
        actor: Who is named in the audit.

    Raises:
        ArtifactError: A file is not what was registered; the alias stays where it was.
        UntrustworthyError: A leak is suspected and `force` is not given.
    """
    workspace = workspace or Workspace.open()
    version = _newest_or_named(reference, workspace)
    workspace.registry.verify(version.reference)
    if not version.lineage.get("is_trustworthy", True) and not force:
        raise UntrustworthyError(
            f"The report of {version.reference} says that its score is not to be trusted: "
            f"{version.lineage.get('verdict', 'a leak is suspected')}",
            hint=f"servery report {version.reference} --open, or deploy with --force",
        )
    workspace.registry.point(version.name, alias, version.number, actor=actor)
    return workspace.registry.resolve(version.reference)


def _newest_or_named(reference: str, workspace: Workspace) -> Version:
    # "name" alone means production to a caller, but to somebody who deploys it means the newest.
    if "@" in reference:
        return workspace.registry.resolve(reference)
    versions = workspace.registry.versions(reference)
    return max(versions, key=lambda v: v.number) if versions else workspace.registry.resolve(reference)
