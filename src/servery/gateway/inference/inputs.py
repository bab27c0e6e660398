"""The tensors of a request as rows for the model; refused before memory is spent on them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from servery.data.columns import Column, Kind
from servery.errors import InputError, TooLongError
from servery.gateway.inference.datatypes import NUMPY_NAMES, datatype_of, element_bytes, from_raw
from servery.gateway.inference.interface import interface_of
from servery.serving.replica import Replica
from servery.tasks.arrays import from_lists
from servery.tasks.form import Example

MOST_AXES = 16
LARGEST_SIZE = 2**31


@dataclass(slots=True)
class SentTensor:
    """One input as it came.

    Attributes:
        name: One of the model's inputs.
        datatype: One of the protocol's.
        shape: The first axis is the rows.
        data: Raw bytes, a list from JSON (nested, or flat in row-major order), or a flat array.
    """

    name: str
    datatype: str
    shape: Sequence[int]
    data: bytes | memoryview | list[Any] | np.ndarray


def examples_of(tensors: Sequence[SentTensor], replica: Replica) -> list[Example]:
    """Return the rows of a request's tensors.

    Raises:
        InputError: A tensor is unknown, missing, sent twice, or not what the model takes.
        TooLongError: Too many rows, or too large ones.
    """
    columns, limits = interface_of(replica).inputs, replica.limits
    _check_names(tensors, columns)
    rows = {_rows(tensor, limits.max_inputs) for tensor in tensors}
    if len(rows) > 1:
        raise InputError(
            f"The inputs differ in rows, the first of their axes: {sorted(rows)}.", param="inputs"
        )
    most = limits.max_tensor_values * limits.max_inputs
    arrays = {tensor.name: _array(tensor, columns[tensor.name], most) for tensor in tensors}
    return replica.form.examples_from_arrays(arrays, replica.predictor.signature.inputs, limits)


def _check_names(tensors: Sequence[SentTensor], columns: Mapping[str, Column]) -> None:
    names = [tensor.name for tensor in tensors]
    if len(names) == len(columns) and set(names) == columns.keys():
        return
    listed = ", ".join(f"{name!r} ({datatype_of(column)})" for name, column in columns.items())
    shown = ", ".join(repr(name[:60]) for name in names[:20]) or "none"
    raise InputError(f"The inputs sent are {shown}; the model takes each of {listed} once.", param="inputs")


def _rows(tensor: SentTensor, most: int) -> int:
    """Return the rows of a tensor whose shape can be one."""
    shape, name = tensor.shape, tensor.name
    element_bytes(tensor.datatype)  # refuses what is no datatype
    if not 1 <= len(shape) <= MOST_AXES or min(shape) < 1 or max(shape) > LARGEST_SIZE:
        raise InputError(
            f"{name!r} has the shape {list(shape)[:MOST_AXES]}; expected 1 to {MOST_AXES} axes, none of them empty.",
            param=name,
        )
    if shape[0] > most:
        raise TooLongError(
            f"{name!r} has {shape[0]:,} rows; this model accepts {most:,} in one request.",
            hint="send several requests, or a job",
            param=name,
        )
    return shape[0]


def _array(tensor: SentTensor, column: Column, max_values: int) -> np.ndarray:
    data = tensor.data
    if isinstance(data, (bytes, memoryview)):
        data = from_raw(data, tensor.datatype, tensor.shape, tensor.name)
    elif isinstance(data, np.ndarray):
        data = _shaped(data, tensor)
    if column.kind is not Kind.TENSOR:
        return _cells(data, tensor)
    return _numbers(data, tensor, max_values) if isinstance(data, list) else data


def check_elements(count: int, shape: Sequence[int], name: str) -> None:
    """Refuse elements that are not as many as a tensor's shape has.

    Raises:
        InputError: They are not.
    """
    # The product of very many axes would itself take long.
    if len(shape) > MOST_AXES:
        raise InputError(f"{name!r} has {len(shape):,} axes; expected 1 to {MOST_AXES}.", param=name)
    wanted = math.prod(shape)
    if count != wanted:
        raise InputError(
            f"{name!r} has {count:,} elements; its shape {list(shape)} has {wanted:,}.", param=name
        )


def _shaped(array: np.ndarray, tensor: SentTensor) -> np.ndarray:
    check_elements(array.size, tensor.shape, tensor.name)
    return array.reshape(tensor.shape)


def _numbers(data: list[Any], tensor: SentTensor, max_values: int) -> np.ndarray:
    dtype = NUMPY_NAMES.get(tensor.datatype)
    if dtype is None:
        raise InputError(
            f"{tensor.name!r} came as a list of {tensor.datatype}; the model takes numbers.",
            param=tensor.name,
        )
    return from_lists(data, tensor.shape, dtype, tensor.name, max_values)


def _cells(data: list[Any] | np.ndarray, tensor: SentTensor) -> np.ndarray:
    """Return one value a row; whether it is one that its column can hold, the model's form will say."""
    rows = tensor.shape[0]
    if math.prod(tensor.shape) != rows or len(data) != rows:
        raise InputError(
            f"{tensor.name!r} has the shape {list(tensor.shape)} and {len(data):,} rows of data; "
            "expected [-1, 1]: one value a row.",
            param=tensor.name,
        )
    if isinstance(data, np.ndarray):
        return data.ravel()
    values = np.empty(rows, object)
    for row, value in enumerate(data):
        while isinstance(value, list) and len(value) == 1:
            value = value[0]
        values[row] = value
    return values
