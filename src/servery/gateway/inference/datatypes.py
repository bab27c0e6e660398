"""The protocol's datatypes: what they are in numpy, and how their elements stand in raw bytes."""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np

from servery.data.columns import Column, Kind
from servery.errors import InputError

BYTES = "BYTES"
NUMPY_NAMES = {
    **{"BOOL": "bool", "UINT8": "uint8", "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64"},
    **{"INT8": "int8", "INT16": "int16", "INT32": "int32", "INT64": "int64"},
    **{"FP16": "float16", "FP32": "float32", "FP64": "float64"},
}
"""Datatypes of numbers. BF16 is read too, and never sent: numpy has none."""
DATATYPES = {name: datatype for datatype, name in NUMPY_NAMES.items()}
BF16 = "BF16"

_WIRE = {datatype: np.dtype(name).newbyteorder("<") for datatype, name in NUMPY_NAMES.items()}
_LENGTH = struct.Struct("<I")


def datatype_of(column: Column) -> str:
    """Return the datatype in which a column's values travel.

    >>> from servery.data.columns import Role
    >>> datatype_of(Column("age", Kind.NUMBER, Role.INPUT))
    'FP64'
    """
    if column.kind is Kind.TENSOR:
        return DATATYPES[column.dtype]
    return "FP64" if column.kind is Kind.NUMBER else BYTES


def shape_of(column: Column) -> tuple[int, ...]:
    """Return the shape of a column's values in a request, -1 for any number; the first axis is the rows."""
    return (-1, *column.shape) if column.kind is Kind.TENSOR else (-1, 1)


def element_bytes(datatype: str) -> int:
    """Return the size of one element in raw bytes; 4 for the length before each one of BYTES.

    Raises:
        InputError: There is no such datatype.
    """
    if datatype in _WIRE:
        return _WIRE[datatype].itemsize
    if datatype in (BYTES, BF16):
        return 4 if datatype == BYTES else 2
    raise InputError(
        f"There is no datatype {datatype[:40]!r}.", hint=f"Known: {', '.join([*NUMPY_NAMES, BF16, BYTES])}."
    )


def from_raw(raw: bytes | memoryview, datatype: str, shape: Sequence[int], name: str) -> np.ndarray:
    """Return the array that raw bytes are, without copying numbers.

    Args:
        raw: Elements in row-major order, little-endian; of BYTES each with its length in 4 bytes before it.
        datatype: One of the protocol's.
        shape: Of whose size `raw` must be.
        name: Of the tensor, for the error.

    Raises:
        InputError: `raw` has not exactly these elements.
    """
    count = 1
    for size in shape:
        count *= size
    if datatype == BYTES:
        return _texts(raw, count, name).reshape(shape)
    wanted = count * element_bytes(datatype)
    if len(raw) != wanted:
        raise InputError(
            f"{name!r} has {len(raw):,} bytes; {datatype} of the shape {list(shape)} has {wanted:,}.",
            param=name,
        )
    if datatype == BF16:
        # The upper half of a float32.
        return (np.frombuffer(raw, "<u2").astype("<u4") << 16).view("<f4").reshape(shape)
    return np.frombuffer(raw, _WIRE[datatype]).reshape(shape)


def to_raw(array: np.ndarray) -> bytes:
    """Return an array's raw bytes, as `from_raw` reads them."""
    if array.dtype == object:
        parts: list[bytes] = []
        for text in array.ravel().tolist():
            parts += (_LENGTH.pack(len(text)), text)
        return b"".join(parts)
    return array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()


def _texts(raw: bytes | memoryview, count: int, name: str) -> np.ndarray:
    # Before an array is made: every element has at least its length.
    if count * _LENGTH.size > len(raw):
        raise InputError(f"{name!r} has {len(raw):,} bytes, too few for {count:,} elements.", param=name)
    texts = np.empty(count, object)
    start, end = 0, len(raw)
    for place in range(count):
        if start + _LENGTH.size > end:
            break
        (length,) = _LENGTH.unpack_from(raw, start)
        start += _LENGTH.size + length
        if start > end:
            break
        texts[place] = bytes(raw[start - length : start])
    else:
        if start == end:
            return texts
    raise InputError(
        f"{name!r} is not {count:,} elements of BYTES, each with its length in 4 bytes before it.", param=name
    )
