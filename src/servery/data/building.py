"""From the rows of a file to a data set: kinds and roles decided, values converted, unusable rows set aside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from servery.data import audio, pictures
from servery.data.cells import values_of
from servery.data.columns import Column, Kind, Role
from servery.data.dataset import BadRow, Dataset, Source
from servery.data.fingerprint import fingerprint
from servery.data.infer import infer_columns
from servery.data.parts import part_of
from servery.data.raw_table import RawTable, object_array
from servery.errors import DataError, EmptyDataError


def build_dataset(
    raw: RawTable,
    name: str,
    path: Path | None = None,
    *,
    target: str = "",
    kinds: Mapping[str, str] | None = None,
    roles: Mapping[str, str] | None = None,
    is_sample: bool = False,
) -> Dataset:
    """Return the data set that a table's rows make.

    Rows without a target or part and rows whose picture or recording cannot be decoded are set aside in `bad_rows`.

    Args:
        raw: Rows as they were read.
        name: Short name for people.
        path: Where the rows came from; None for a generated sample.
        target: The column to learn; empty lets the columns' names decide.
        kinds: Column name to kind, where the rules would be wrong.
        roles: Column name to role, likewise.
        is_sample: Whether the rows were generated.

    Raises:
        ColumnNotFoundError: A name that no column has.
        EmptyDataError: No usable row is left.
        DataError: A kind or role does not fit.
    """
    columns = infer_columns(raw.values, target, kinds, roles)
    values = {c.name: _values(raw.values[c.name], c) for c in columns}
    faults = _faults(columns, values)
    kept = np.array([row not in faults for row in range(len(raw))], dtype=bool)
    bad_rows = [
        *raw.bad_rows,
        *(BadRow(int(raw.line_numbers[row]), reason) for row, reason in faults.items()),
    ]
    if not kept.any():
        first = f" Line {bad_rows[0].line}: {bad_rows[0].reason}." if bad_rows else ""
        raise EmptyDataError(f"{name} has no usable row; {len(bad_rows):,} could not be read.{first}")
    values = {column: array[kept] for column, array in values.items()}
    return Dataset(
        columns,
        values,
        Source(name, path, fingerprint(columns, values), is_sample, dict(raw.facts)),
        raw.line_numbers[kept],
        tuple(sorted(bad_rows, key=lambda bad: bad.line)),
    )


_ENCODED = {Kind.IMAGE: ("picture", pictures.fault_of), Kind.AUDIO: ("recording", audio.fault_of)}
"""Kinds whose values are files: what one is called, and what tells why it cannot be read."""


def _values(cells: np.ndarray, column: Column) -> np.ndarray:
    values = values_of(cells, column.kind)
    if column.role is not Role.PART:
        return values
    parts = object_array([None if value is None else part_of(value) for value in values])
    unknown = sorted({value for value, part in zip(values, parts, strict=True) if value and not part})
    if unknown:
        raise DataError(
            f"The column {column.name!r} has the role part but holds {unknown[0]!r}.",
            hint="its values must be train, validation or test",
            param="roles",
        )
    return parts


def _faults(columns: tuple[Column, ...], values: Mapping[str, np.ndarray]) -> dict[int, str]:
    """Return the rows that no model can learn from or be tested on, and why."""
    faults: dict[int, str] = {}
    for column in columns:
        array = values[column.name]
        if column.kind in _ENCODED and column.role in (Role.INPUT, Role.TARGET):
            noun, fault_of = _ENCODED[column.kind]
            for row, content in enumerate(array):
                fault = f"no {noun}" if content is None else fault_of(content)
                if fault:
                    file = f" ({values['file_name'][row]})" if "file_name" in values else ""
                    faults[row] = f"{column.name}: {fault}{file}"
        elif column.role in (Role.TARGET, Role.PART):
            reason = f"the {column.role} {column.name} is missing"
            faults |= {int(row): reason for row in np.flatnonzero(is_missing(array))}
    return faults


def is_missing(array: np.ndarray) -> np.ndarray:
    """Return which values of a column are missing, bool, (rows,)."""
    if array.dtype == object:
        return np.fromiter((value is None for value in array), dtype=bool, count=len(array))
    return np.asarray(np.isnat(array) if array.dtype.kind == "M" else np.isnan(array))
