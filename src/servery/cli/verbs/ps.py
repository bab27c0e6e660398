"""Show what the running server has loaded."""

from __future__ import annotations

import servery
from servery.cli.options import AsJson
from servery.cli.output import print_json, print_table


def verb(json: AsJson = False) -> None:
    """Show what the running server has loaded."""
    with servery.Client() as client:
        replicas = client.status()
    if json:
        print_json(replicas)
        return
    print_table(
        ["NAME", "STATE", "RUNTIME", "PLACE", "MEMORY", "REQUESTS", "ROWS/BATCH", "P50 MS", "WHY"],
        [
            [
                row["reference"],
                row["state"],
                row.get("runtime", ""),
                row.get("placement", ""),
                f"{row.get('memory_bytes', 0) / 2**20:.1f} MB",
                row.get("requests", 0),
                f"{row.get('mean_batch_rows', 0):.1f}",
                f"{row.get('latency_ms', 0):.1f}",
                row.get("reason", "") or row.get("placement_reason", ""),
            ]
            for row in replicas
        ],
    )
