"""Rows as a file holds them, before anyone has decided what the columns are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from servery.data.dataset import BadRow
from servery.errors import DataError

MAX_CELL_CHARACTERS = 131_072
"""Longest text of one cell; the bound of Python's csv module, and above `Settings.max_text_characters`."""
MAX_TABLE_BYTES = 4 * 2**30
"""Most bytes one data set may take in memory, after decompression."""


@dataclass(frozen=True)
class RawTable:
    """Columns of equal length, cells as they were read.

    Attributes:
        values: One object array a column, (rows,). A cell is None (missing), str, bytes (a picture), bool, int,
            float, datetime64 or a tuple of str.
        line_numbers: Where each row stands in its file, from 1, int64, (rows,).
        bad_rows: Rows that could not be read.
        facts: What reading found out, e.g. {"encoding": "utf-8"}.
    """

    values: Mapping[str, np.ndarray]
    line_numbers: np.ndarray
    bad_rows: tuple[BadRow, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.line_numbers)


def object_array(cells: Sequence[object]) -> np.ndarray:
    """Return the cells as a flat object array, also where the cells are tuples.

    >>> object_array([("a", "b"), ("c", "d")]).shape
    (2,)
    """
    return np.fromiter(cells, dtype=object, count=len(cells))


def check_names(names: Sequence[str], where: str) -> tuple[str, ...]:
    """Return the column names, unnamed ones named by their position.

    Raises:
        DataError: A name occurs twice, or there are more than 10,000.
    """
    if len(names) > 10_000:
        raise DataError(f"{where} has {len(names):,} columns; at most 10,000 are read.")
    named = tuple(name.strip() or f"unnamed_{i + 1}" for i, name in enumerate(names))
    twice = sorted({name for name in named if named.count(name) > 1}) if len(set(named)) < len(named) else []
    if twice:
        raise DataError(
            f"{where} has more than one column named {', '.join(map(repr, twice))}.",
            hint="rename the columns in the first line of the file",
        )
    return named
