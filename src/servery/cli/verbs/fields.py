"""Show the fields, their tasks, recipes and known data sets."""

from __future__ import annotations

import servery
from servery.cli.options import AsJson
from servery.cli.output import print_json, print_table


def verb(json: AsJson = False) -> None:
    """Show the fields, their tasks, recipes and known data sets."""
    fields = servery.all_fields().values()
    if json:
        print_json([_to_dict(field) for field in fields])
        return
    print_table(
        ["FIELD", "TITLE", "TASKS", "RECIPES", "DATA SETS"],
        [
            [
                field.name,
                f"{field.title['en']} {field.title['zh']}",
                ", ".join(offer.tasks),
                ", ".join(choice.name for choice in offer.recipes),
                ", ".join([known.name for known in offer.known_datasets] + [offer.sample_name]),
            ]
            for field in fields
            for offer in field.offers
        ],
    )


def _to_dict(field: servery.Field) -> dict[str, object]:
    return {
        "name": field.name,
        "title": dict(field.title),
        "summary": dict(field.summary),
        "offers": [
            {
                "tasks": list(offer.tasks),
                "form": offer.form,
                "recipes": [{"name": choice.name, "note": choice.note} for choice in offer.recipes],
                "known_datasets": [known.name for known in offer.known_datasets],
            }
            for offer in field.offers
        ],
        "limits_of_use": field.limits_of_use,
    }
