"""List the registered models, their versions and aliases."""

from __future__ import annotations

import servery
from servery.cli.options import AsJson
from servery.cli.output import print_json, print_table, short_metrics


def verb(json: AsJson = False) -> None:
    """List the registered models, their versions and aliases."""
    versions = servery.Workspace.open().registry.versions()
    if json:
        print_json([version.to_dict() for version in versions])
        return
    if not versions:
        print("No models yet.\n  Try: servery train --field sentiment-analysis --data sample --name first")
        return
    print_table(
        ["NAME", "FIELD", "RECIPE", "TEST", "SIZE", "ALIASES", "MADE"],
        [
            [
                version.reference,
                version.field + (" (sample)" if version.lineage.get("is_sample") else ""),
                version.recipe,
                short_metrics(version.task, version.metrics),
                f"{version.size_bytes / 2**20:.1f} MB",
                ", ".join(version.aliases),
                version.created_at[:16].replace("T", " "),
            ]
            for version in versions
        ],
    )
