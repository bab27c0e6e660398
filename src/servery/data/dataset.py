"""A data set in memory: one array a column, with what each column is and where the rows came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from servery.data.columns import Column, Kind, Role
from servery.errors import DataError


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that could not be read: where it stands and why."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Source:
    """Where a data set came from.

    Attributes:
        name: Short name for people: a file's stem or a known set's name.
        path: The file or folder; None for a generated sample.
        fingerprint: sha256 over columns and values, hexadecimal.
        is_sample: Whether the data is a field's generated sample and no real data.
        facts: What reading found out: encoding, delimiter, license, citation.
    """

    name: str
    path: Path | None
    fingerprint: str
    is_sample: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Dataset:
    """Columns of equal length.

    Text, category, labels and identifier columns are object arrays of `str`, with None where a value is missing;
    a labels cell is a tuple of `str`. Number columns are float64 with NaN; time columns datetime64[ns] with NaT;
    image and audio columns object arrays of encoded `bytes` (PNG, JPEG, WAV, FLAC ...), series columns of packed
    ones (`data.series`); columns of structures (`STRUCTURES`) object arrays of lists or objects as JSON has them.

    Attributes:
        columns: In the file's order.
        values: One array a column, (rows,).
        source: Where it came from.
        line_numbers: Where each row stands in its file, int64, (rows,).
        bad_rows: Rows that could not be read.
    """

    columns: tuple[Column, ...]
    values: Mapping[str, np.ndarray]
    source: Source
    line_numbers: np.ndarray
    bad_rows: tuple[BadRow, ...] = ()

    def __len__(self) -> int:
        return len(self.line_numbers)

    def __getitem__(self, name: str) -> np.ndarray:
        return self.values[name]

    @property
    def inputs(self) -> tuple[Column, ...]:
        """Columns a model reads."""
        return tuple(c for c in self.columns if c.role is Role.INPUT)

    @property
    def target(self) -> Column:
        """The column a model learns to answer.

        Raises:
            DataError: No column has the role of target.
        """
        for column in self.columns:
            if column.role is Role.TARGET:
                return column
        raise DataError(
            f"{self.source.name} has no target column. Columns: {', '.join(c.name for c in self.columns)}.",
            hint="name it with --target",
            param="target",
        )

    def column(self, name: str) -> Column:
        """Return the column of that name, which there is."""
        return next(c for c in self.columns if c.name == name)

    @property
    def input_kinds(self) -> frozenset[Kind]:
        """Kinds of the input columns."""
        return frozenset(c.kind for c in self.inputs)

    def take(self, rows: np.ndarray | Sequence[int]) -> Dataset:
        """Return the named rows, in that order.

        Args:
            rows: Row positions or a boolean mask, (n,) or (rows,).
        """
        chosen = np.asarray(rows)
        return replace(
            self,
            values={name: array[chosen] for name, array in self.values.items()},
            line_numbers=self.line_numbers[chosen],
            bad_rows=(),
        )

    def with_columns(self, columns: Sequence[Column]) -> Dataset:
        """Return the same rows with other kinds or roles."""
        return replace(self, columns=tuple(columns))

    def example(self, row: int) -> dict[str, Any]:
        """Return the inputs of one row, as a request would bring them."""
        return {c.name: self.values[c.name][row] for c in self.inputs}

    def examples(self) -> Iterator[dict[str, Any]]:
        """Yield the inputs of every row."""
        return (self.example(row) for row in range(len(self)))
