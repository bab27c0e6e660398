"""Hold new rows, such as live traffic, against what a model learned from."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

import servery
from servery.cli.options import AsJson, Reference
from servery.cli.output import print_json, print_table


def verb(
    reference: Reference,
    data: Annotated[
        str, typer.Option(help="A csv, tsv, jsonl or parquet file of new rows; no target needed.")
    ],
    json: AsJson = False,
) -> None:
    """Hold new rows, such as live traffic, against what a model learned from.

    Prints the population stability index of the model's score and of each column: 0 where nothing changed; "shifted"
    from 0.1 and "moved" from 0.25 on, unless so few rows differ as much by chance.
    """
    found = servery.drift(reference, data)
    if json:
        print_json([asdict(drift) for drift in found])
        return
    print_table(
        ["COLUMN", "INDEX", "BY CHANCE", "VERDICT", "CHANGED MOST", "THEN", "NOW"],
        [
            [
                f"{drift.name} (of the model)" if drift.is_score else drift.name,
                f"{drift.index:.3f}",
                f"{drift.by_chance:.3f}",
                drift.verdict,
                drift.most_changed,
                f"{drift.known_share:.1%}",
                f"{drift.share:.1%}",
            ]
            for drift in found
        ],
    )
