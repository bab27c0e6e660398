"""Arrays out of what clients send: lists of numbers read in C, and arrays brought to a column's shape and dtype."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

import msgspec
import numpy as np

from servery.data.columns import Column
from servery.errors import InputError, TooLongError

_PLACE = re.compile(r" - at `\$\[(\d+)\]`$")
_FORMATS = {
    **{"bool": "?", "int8": "b", "int16": "h", "int32": "i", "int64": "q"},
    **{"uint8": "B", "uint16": "H", "uint32": "I", "uint64": "Q"},
    **{"float16": "e", "float32": "f", "float64": "d"},
}


def from_lists(value: Any, shape: Sequence[int], dtype: str, pointer: str, max_values: int) -> np.ndarray:
    """Return a nested list of numbers as an array; or a flat one, in row-major order, where no axis is free.

    Args:
        value: From JSON.
        shape: What it must have; -1 for an axis of any length but 0.
        dtype: One of `TENSOR_DTYPES`.
        pointer: Where `value` stands in the body.
        max_values: As many numbers it may have.

    Raises:
        InputError: Ragged, of another shape, or with something that is no finite number of the dtype; `param` points
            at the first one.
        TooLongError: Too many numbers.

    >>> from_lists([[1, 2], [3, 4]], (2, -1), "float32", "/inputs", 10)
    array([[1., 2.],
           [3., 4.]], dtype=float32)
    """
    is_flat = isinstance(value, list) and not isinstance(value[0] if value else None, list)
    if is_flat and len(shape) > 1 and -1 not in shape:
        return _packed(value, (math.prod(shape),), dtype, pointer, max_values).reshape(shape)
    numbers: list[Any] = [value]
    found: tuple[int, ...] = ()
    for axis in shape:
        numbers, found = _opened(numbers, found, axis, pointer)
    return _packed(numbers, found, dtype, pointer, max_values)


def fitting(array: np.ndarray, column: Column) -> np.ndarray:
    """Return the array if it has the shape of rows of a tensor column.

    Raises:
        InputError: It has not.
    """
    sizes = array.shape[1:]
    fits = array.ndim == len(column.shape) + 1 and all(
        size == wanted or (wanted == -1 and size > 0)
        for size, wanted in zip(sizes, column.shape, strict=True)
    )
    if not fits:
        raise InputError(
            f"{column.name!r} has the shape {list(array.shape)}; expected {[-1, *column.shape]}, "
            "where -1 is any number.",
            param=column.name,
        )
    return array


def exact(array: np.ndarray, column: Column) -> np.ndarray:
    """Return an array in a tensor column's dtype, aligned; without copying where it is that already.

    Numbers with a fraction may be rounded to those of fewer bits; whole numbers must stay what they are.

    Raises:
        InputError: The dtype cannot hold them, or they are not finite.
    """
    wanted = np.dtype(column.dtype)
    if array.dtype != wanted:
        array = _cast(array, wanted, column)
    if not array.flags.aligned:  # raw bytes begin anywhere; numpy is slow with that
        array = array.copy()
    if wanted.kind == "f" and not np.isfinite(array).all():
        raise InputError(
            f"{column.name!r} holds NaN, infinity, or numbers too large for {wanted.name}.",
            param=column.name,
        )
    return array


def range_of(dtype: str) -> tuple[float, float]:
    """Return the least and the largest finite number of a dtype.

    >>> range_of("int8")
    (-128, 127)
    """
    if np.dtype(dtype).kind == "f":
        most = float(np.finfo(dtype).max)
        return -most, most
    return int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)


def _opened(
    lists: list[Any], above: tuple[int, ...], axis: int, pointer: str
) -> tuple[list[Any], tuple[int, ...]]:
    """Return the members of all lists of one depth, and the shape down to them."""
    size = axis if axis != -1 else (len(lists[0]) if isinstance(lists[0], list) else 1)
    for place, found in enumerate(lists):
        if not isinstance(found, list) or len(found) != size or not size:
            where = _pointer(pointer, place, above)
            what = f"a list of {len(found):,}" if isinstance(found, list) else "no list"
            expected = "at least 1" if axis == -1 and not size else f"{size:,}"
            raise InputError(f"Expected a list of {expected} at {where}, got {what}.", param=where)
    return (lists[0] if len(lists) == 1 else list(chain.from_iterable(lists))), (*above, size)


def _packed(
    numbers: list[Any], shape: tuple[int, ...], dtype: str, pointer: str, max_values: int
) -> np.ndarray:
    count = math.prod(shape)
    if count > max_values:
        raise TooLongError(
            f"{count:,} numbers at {pointer}; this model accepts {max_values:,}.", param=pointer
        )
    if len(numbers) != count:
        raise InputError(f"Expected {count:,} numbers at {pointer}, got {len(numbers):,}.", param=pointer)
    packer, reads = _packer(count, dtype)
    try:
        array = np.frombuffer(packer.pack(*msgspec.convert(numbers, reads)), dtype)
    except msgspec.ValidationError as error:
        found = _PLACE.search(str(error))
        where = _pointer(pointer, int(found[1]), shape) if found else pointer
        raise InputError(f"{_PLACE.sub('', str(error))}, at {where}.", param=where) from error
    except (struct.error, OverflowError) as error:
        raise _out_of_range(numbers, shape, dtype, pointer) from error
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise _out_of_range(numbers, shape, dtype, pointer)
    return array.reshape(shape)


@lru_cache(maxsize=1024)
def _packer(count: int, dtype: str) -> tuple[struct.Struct, Any]:
    # A list of floats that msgspec has checked packs in a quarter of the time that numpy needs to read it.
    reads = {"b": bool, "f": float}.get(np.dtype(dtype).kind, int)
    return struct.Struct(f"{count}{_FORMATS[dtype]}"), list[reads]  # type: ignore[valid-type]


def _out_of_range(numbers: list[Any], shape: tuple[int, ...], dtype: str, pointer: str) -> InputError:
    least, most = range_of(dtype)
    place = next((i for i, number in enumerate(numbers) if not least <= number <= most), 0)
    where = _pointer(pointer, place, shape)
    return InputError(f"The number at {where} is not one that {dtype} can hold.", param=where)


def _pointer(pointer: str, place: int, shape: tuple[int, ...]) -> str:
    return "/".join([pointer, *(str(int(i)) for i in np.unravel_index(place, shape))]) if shape else pointer


def _cast(array: np.ndarray, wanted: np.dtype[Any], column: Column) -> np.ndarray:
    came = array.dtype
    if np.can_cast(came, wanted, "safe") or (came.kind, wanted.kind) == ("f", "f"):
        with np.errstate(over="ignore"):
            return array.astype(wanted)
    if came.kind in "iu" and wanted.kind in "iuf" and _holds(wanted, array):
        return array.astype(wanted)
    raise InputError(
        f"{column.name!r} came as {came.name}; this model reads {wanted.name}, which cannot hold it exactly.",
        param=column.name,
    )


def _holds(wanted: np.dtype[Any], whole: np.ndarray) -> bool:
    least, most = range_of(wanted.name)
    if wanted.kind == "f":  # up to here every whole number has a float of its own
        most = 2 ** (np.finfo(wanted).nmant + 1)
        least = -most
    return not whole.size or (int(whole.min()) >= least and int(whole.max()) <= most)
