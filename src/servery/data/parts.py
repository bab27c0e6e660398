"""The parts of a data set that come apart already: what people call them, and how they are joined."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from servery.data.dataset import BadRow
from servery.data.raw_table import RawTable, object_array
from servery.errors import DataError

PARTS = ("train", "validation", "test")
_SPOKEN = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}


def part_of(name: str) -> str | None:
    """Return the part a folder, file or cell names, or None.

    >>> part_of("Dev"), part_of("cats")
    ('validation', None)
    """
    return _SPOKEN.get(name.strip().lower())


def join_parts(tables: Mapping[str, RawTable]) -> RawTable:
    """Join tables one below the other, with a column `part` that says which one a row came from.

    Args:
        tables: Part ("train", "validation", "test") to its rows.

    Raises:
        DataError: The tables have different columns, or one already has a column `part`.
    """
    first, *others = tables
    names = list(tables[first].values)
    for part in others:
        differing = set(names) ^ set(tables[part].values)
        if differing:
            raise DataError(
                f"The parts {first} and {part} differ in the columns {', '.join(sorted(differing))}.",
                hint="give every part the same columns",
            )
    if "part" in names:
        raise DataError("The files already have a column 'part'.", hint="rename that column")
    values = {
        name: np.concatenate([t.values[name].astype(object) for t in tables.values()]) for name in names
    }
    values["part"] = np.repeat(object_array(list(tables)), [len(t) for t in tables.values()])
    return RawTable(
        values,
        np.concatenate([t.line_numbers for t in tables.values()]),
        tuple(BadRow(b.line, f"{part}: {b.reason}") for part, t in tables.items() for b in t.bad_rows),
        {key: value for t in tables.values() for key, value in t.facts.items()},
    )
