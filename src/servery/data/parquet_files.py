"""Parquet files: the types of the file are kept, pictures are bytes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from servery.data.json_lines_files import json_cell
from servery.data.raw_table import MAX_TABLE_BYTES, RawTable, check_names, object_array
from servery.errors import DataError, EmptyDataError


def read_parquet(path: Path) -> RawTable:
    """Read a parquet file; a row's line number is its position, from 1.

    Raises:
        EmptyDataError: There is no row.
        DataError: Not a parquet file, larger than the bound, or a column of a type no cell has.
    """
    # Imported here because it takes 0.1 s that a list of the fields need not wait for.
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            info = file.metadata
            size = sum(info.row_group(i).total_byte_size for i in range(info.num_row_groups))
            if size > MAX_TABLE_BYTES:
                raise DataError(f"{path.name} unpacks to more than {MAX_TABLE_BYTES / 2**30:g} GiB.")
            table = file.read()
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path.name} is no readable parquet file: {error}.") from error
    if not table.num_rows:
        raise EmptyDataError(f"{path.name} has no rows.")
    # What pandas keeps for itself is no column of the user's.
    names = [name for name in table.column_names if not name.startswith("__index_level_")]
    return RawTable(
        {
            checked: _cells(table.column(name), name, path.name)
            for checked, name in zip(check_names(names, path.name), names, strict=True)
        },
        np.arange(1, table.num_rows + 1, dtype=np.int64),
        facts={"format": "parquet"},
    )


def _cells(column: Any, name: str, where: str) -> np.ndarray:
    """Return one column's cells; a struct with `bytes` is a picture as the Hub stores it."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_dictionary(kind):
        column = column.cast(kind.value_type)
    elif pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        times = column.cast(pa.timestamp("ns")).to_numpy()
        return object_array([None if np.isnat(time) else time for time in times])
    cells = column.to_pylist()
    plain = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_binary)
    if any(is_type(kind) for is_type in plain):
        return object_array(cells)
    if pa.types.is_struct(kind) and "bytes" in {field.name for field in kind}:
        cells = [cell and cell["bytes"] for cell in cells]
    try:
        return object_array([_cell(cell) for cell in cells])
    except ValueError as error:
        raise DataError(f"The column {name!r} of {where} cannot be read: {error}.") from error


def _cell(value: Any) -> Any:
    if isinstance(value, list | dict | str):
        return json_cell(value)
    if value is None or isinstance(value, bytes | bool | int | float):
        return value
    return str(value)
