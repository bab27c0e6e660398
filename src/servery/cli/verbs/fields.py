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
                ", ".join(field.tasks),
                ", ".join(choice.name for choice in field.recipes),
                ", ".join([known.name for known in field.known_datasets] + ["sample"]),
            ]
            for field in fields
        ],
    )


def _to_dict(field: servery.Field) -> dict[str, object]:
    return {
        "name": field.name,
        "title": dict(field.title),
        "summary": dict(field.summary),
        "tasks": list(field.tasks),
        "form": field.form,
        "recipes": [{"name": choice.name, "note": choice.note} for choice in field.recipes],
        "known_datasets": [known.name for known in field.known_datasets],
        "limits_of_use": field.limits_of_use,
    }
