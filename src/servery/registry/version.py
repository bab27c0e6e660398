"""One registered version of a model."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Version:
    """What the registry knows about one version without opening its files.

    Attributes:
        name: Name of the model.
        number: From 1; never given twice, also after a removal.
        digest: sha256 of the artifact's manifest, hexadecimal.
        folder: The artifact. Its content never changes.
        task: Name of the task.
        field: Name of the field.
        recipe: Name of the recipe.
        created_at: When the artifact was sealed, ISO 8601 in UTC.
        size_bytes: All files together, without the manifest.
        metrics: The figures of its evaluation.
        lineage: Data, code and environment it was made of.
        aliases: Aliases that point at it, sorted.
        is_unloaded: Whether an operator took its model out of service.
    """

    name: str
    number: int
    digest: str
    folder: Path
    task: str
    field: str
    recipe: str
    created_at: str
    size_bytes: int
    metrics: dict[str, Any] = dataclasses.field(default_factory=dict)
    lineage: dict[str, Any] = dataclasses.field(default_factory=dict)
    aliases: tuple[str, ...] = ()
    is_unloaded: bool = False

    @property
    def reference(self) -> str:
        """The id that always means this version, e.g. `reviews@3`."""
        return f"{self.name}@{self.number}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON types, with the reference."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {
            "reference": self.reference,
            **values,
            "folder": str(self.folder),
            "aliases": list(self.aliases),
        }
