"""The fingerprint of a data set: equal for equal columns and values, wherever they came from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from servery.data.columns import Column


def fingerprint(columns: Sequence[Column], values: Mapping[str, np.ndarray]) -> str:
    """Return the sha256 over the names, kinds and roles of the columns and over all values.

    Args:
        columns: In the file's order.
        values: One array a column, (rows,), of the types that `Dataset` promises.

    Returns:
        64 hexadecimal digits.
    """
    digest = hashlib.sha256()
    for column in columns:
        digest.update(f"{column.name}\x00{column.kind}\x00{column.role}\x00".encode())
        _add(digest, values[column.name])
    return digest.hexdigest()


def _add(digest: hashlib._Hash, array: np.ndarray) -> None:
    digest.update(len(array).to_bytes(8, "little"))
    if array.dtype == object:
        cells = [_to_bytes(cell) for cell in array]
        # Lengths first, so that moving a letter to the next cell changes the sum; -1 is a missing cell.
        lengths = [-1 if cell is None else len(cell) for cell in cells]
        digest.update(np.array(lengths, dtype="<i8").tobytes())
        digest.update(b"".join(cell for cell in cells if cell))
    elif array.dtype.kind == "f":
        # One bit pattern for every NaN and for both zeros.
        plain = np.where(np.isnan(array), np.nan, array + 0.0).astype("<f8")
        digest.update(plain.tobytes())
    else:
        digest.update(array.astype("<i8").tobytes())


def _to_bytes(cell: str | bytes | tuple[Any, ...] | list[Any] | dict[str, Any] | None) -> bytes | None:
    if isinstance(cell, list | dict):
        return orjson.dumps(cell, option=orjson.OPT_SORT_KEYS)
    if isinstance(cell, str):
        return cell.encode("utf-8", "surrogatepass")
    if isinstance(cell, tuple):
        if cell and not isinstance(cell[0], str):  # events
            return repr([tuple(event) for event in cell]).encode("utf-8", "surrogatepass")
        return b"".join(
            len(item).to_bytes(4, "little") + item.encode("utf-8", "surrogatepass") for item in cell
        )
    return cell
