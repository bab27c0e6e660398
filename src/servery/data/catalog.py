"""Data sets known by name: what their files and columns are, read from the folder that SERVERY_DATA names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class KnownDataset:
    """A data set laid out as `<root>/<folder>/<file>`.

    Attributes:
        name: Its name, e.g. "goemotions".
        folder: Folder below the data root, e.g. "sentiment-analysis/goemotions".
        files: Part ("train", "validation", "test") to file name.
        target: Name of the target column.
        kinds: Column name to kind, where the names alone do not tell.
        ignored: Columns that are no input.
        license: As the publisher states it.
        citation: Who made it.
    """

    name: str
    folder: str
    files: Mapping[str, str]
    target: str
    kinds: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    license: str = ""
    citation: str = ""

    def is_at(self, root: Path | None) -> bool:
        """Whether every file is there."""
        return root is not None and all((root / self.folder / f).is_file() for f in self.files.values())
