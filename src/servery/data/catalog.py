"""Data sets known by name: what their files and columns are, read from the folder that SERVERY_DATA names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from servery.data.building import build_dataset
from servery.data.dataset import Dataset
from servery.data.raw_table import RawTable
from servery.data.readers import read_parts, read_raw
from servery.errors import DataError


@dataclass(frozen=True)
class KnownDataset:
    """A data set laid out as `<root>/<folder>/<file>`.

    Attributes:
        name: Its name, e.g. "goemotions".
        folder: Folder below the data root, e.g. "sentiment-analysis/goemotions".
        files: Part ("train", "validation", "test") to file name; one that holds every part stands under each of
            them, and its reader gives a column `part`.
        target: Name of the target column.
        kinds: Column name to kind, where the names alone do not tell.
        ignored: Columns that are no input.
        roles: Column name to role, where the names alone do not tell.
        read: Reads one of its files, where it takes more than rows with these columns.
        joint: Reads all its files together, by part, where one needs the others (events before and after a moment);
            gives a column `part`.
        license: As the publisher states it.
        citation: Who made it.
    """

    name: str
    folder: str
    files: Mapping[str, str]
    target: str
    kinds: Mapping[str, str] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()
    roles: Mapping[str, str] = field(default_factory=dict)
    read: Callable[[Path], RawTable] = read_raw
    joint: Callable[[Mapping[str, Path]], RawTable] | None = None
    license: str = ""
    citation: str = ""

    def is_at(self, root: Path | None) -> bool:
        """Whether every file is there."""
        return root is not None and all((root / self.folder / f).is_file() for f in self.files.values())


def read_known(known: KnownDataset, root: Path) -> Dataset:
    """Read every part of a known data set, joined, with a column `part`.

    Args:
        known: What its files and columns are.
        root: Folder of data sets, as SERVERY_DATA names it.

    Raises:
        DataError: A file is missing or not what the catalog says.
    """
    folder = root / known.folder
    missing = [file for file in known.files.values() if not (folder / file).is_file()]
    if missing:
        raise DataError(
            f"The data set {known.name} lacks {', '.join(missing)} in {folder}.",
            hint="set SERVERY_DATA to the folder that holds the data sets",
        )
    if known.joint is not None:
        raw = known.joint({part: folder / file for part, file in known.files.items()})
    elif len(known.files) > 1 and len(set(known.files.values())) == 1:
        raw = known.read(folder / next(iter(known.files.values())))
    else:
        raw = read_parts({part: folder / file for part, file in known.files.items()}, known.read)
    terms = {"license": known.license, "citation": known.citation}
    raw = replace(raw, facts={**raw.facts, **{key: value for key, value in terms.items() if value}})
    roles = {column: "ignored" for column in known.ignored if column in raw.values} | dict(known.roles)
    return build_dataset(raw, known.name, folder, target=known.target, kinds=known.kinds, roles=roles)
