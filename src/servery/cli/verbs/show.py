"""Show one version: what it takes, what it is worth, where it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import servery
from servery.cli.options import AsJson, Reference
from servery.cli.output import print_facts, print_json, short_metrics

if TYPE_CHECKING:
    from servery.registry.version import Version


def verb(reference: Reference, json: AsJson = False) -> None:
    """Show one version: what it takes, what it is worth, where it comes from."""
    registry = servery.Workspace.open().registry
    version = registry.resolve(reference)
    siblings = registry.versions(version.name)
    if json:
        print_json({**version.to_dict(), "versions": [sibling.number for sibling in siblings]})
        return
    lineage = version.lineage
    print_facts(
        [
            ("Model", version.reference),
            ("Task", f"{version.task} in {version.field}"),
            ("Recipe", version.recipe),
            ("Test", short_metrics(version.task, version.metrics)),
            ("Aliases", ", ".join(version.aliases) or "none"),
            ("Versions", ", ".join(_numbered(sibling) for sibling in siblings)),
            *_origin(lineage),
            ("Made", version.created_at + _lasting(lineage)),
            ("Size", f"{version.size_bytes / 2**20:.1f} MB"),
            ("Digest", version.digest),
            ("Folder", str(version.folder)),
        ]
    )


def _origin(lineage: Mapping[str, Any]) -> list[tuple[str, str]]:
    if "data" not in lineage:
        return [("Data", "not known: it was not trained here")]
    return [
        ("Data", f"{lineage['data']} ({lineage.get('data_rows', 0):,} rows)"),
        ("", f"fingerprint {str(lineage.get('data_fingerprint'))[:16]}"),
    ]


def _lasting(lineage: Mapping[str, Any]) -> str:
    return f" in {lineage['training_seconds']} s" if "training_seconds" in lineage else ""


def _numbered(version: Version) -> str:
    names = "".join(f" @{alias}" for alias in version.aliases)
    return f"{version.number}{names}"
