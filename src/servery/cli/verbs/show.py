"""Show one version: what it takes, what it is worth, where it comes from."""

from __future__ import annotations

import servery
from servery.cli.options import AsJson, Reference
from servery.cli.output import print_facts, print_json, short_metrics


def verb(reference: Reference, json: AsJson = False) -> None:
    """Show one version: what it takes, what it is worth, where it comes from."""
    version = servery.Workspace.open().registry.resolve(reference)
    if json:
        print_json({**version.to_dict(), "folder": str(version.folder)})
        return
    lineage = version.lineage
    print_facts(
        [
            ("Model", version.reference),
            ("Task", f"{version.task} in {version.field}"),
            ("Recipe", version.recipe),
            ("Test", short_metrics(version.metrics)),
            ("Aliases", ", ".join(version.aliases) or "none"),
            ("Data", f"{lineage.get('data')} ({lineage.get('data_rows'):,} rows)"),
            ("", f"fingerprint {str(lineage.get('data_fingerprint'))[:16]}"),
            ("Made", f"{version.created_at} in {lineage.get('training_seconds')} s"),
            ("Size", f"{version.size_bytes / 2**20:.1f} MB"),
            ("Digest", version.digest),
            ("Folder", str(version.folder)),
        ]
    )
