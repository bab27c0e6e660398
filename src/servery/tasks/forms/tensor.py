"""Tensors on the wire: lists of numbers in JSON, or the bytes themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from servery.data.columns import Column, Kind
from servery.errors import InputError, TooLongError, UnsupportedMediaError
from servery.tasks.arrays import exact, fitting, from_lists, range_of
from servery.tasks.form import Bounds, Example, Form
from servery.tasks.forms._inputs import as_list, check_count, check_names, pointer_to

RAW = "application/octet-stream"


class TensorForm(Form):
    """One tensor, or a list of them; of a model that reads several tensors, an object with all.

    A tensor is a nested list of its shape, or, where its shape has no free axis, one flat list in row-major order.
    An example holds arrays of the columns' dtypes and shapes.
    """

    name = "tensor"
    rank = 3
    raw_types = frozenset({RAW})

    def matches(self, kinds: frozenset[Kind]) -> bool:
        """Whether all inputs are tensors."""
        return kinds == {Kind.TENSOR}

    def examples(self, inputs: Any, columns: Sequence[Column], limits: Bounds) -> list[Example]:
        """Read lists of numbers.

        Raises:
            InputError: Ragged, of another shape, or with something that is no finite number of the dtype.
        """
        if len(columns) > 1:
            return [_object(value, columns, pointer, limits) for value, pointer in as_list(inputs, limits)]
        column = columns[0]
        if _is_one(inputs, column.shape):
            return [{column.name: _array(inputs, column, "/inputs", limits)}]
        return [{column.name: _array(v, column, pointer, limits)} for v, pointer in as_list(inputs, limits)]

    def is_batch(self, inputs: Any, columns: Sequence[Column]) -> bool:
        """Whether `inputs` is a list of tensors or objects."""
        return isinstance(inputs, list) and (len(columns) > 1 or not _is_one(inputs, columns[0].shape))

    def examples_from_bytes(
        self, body: bytes, content_type: str, columns: Sequence[Column], limits: Bounds
    ) -> list[Example]:
        """Read little-endian numbers in row-major order: one row, or as many whole rows as there are.

        Raises:
            UnsupportedMediaError: The content type is another, or the bytes do not tell the shape.
            InputError: Not the bytes of whole rows, or not finite.
        """
        column = columns[0]
        if content_type != RAW or len(columns) > 1 or column.shape.count(-1) > 1:
            raise UnsupportedMediaError(
                f"Cannot read {', '.join(c.name for c in columns)} from a body of type "
                f"{content_type or 'unknown'!r}.",
                hint=f'send {{"inputs": [0.5, 1.0]}} as application/json, or a tensor with at most one free axis '
                f"as {RAW}",
            )
        shape = _shape_in_bytes(len(body), column)
        array = np.frombuffer(body, np.dtype(column.dtype).newbyteorder("<")).reshape(shape)
        return self.examples_from_arrays({column.name: array}, columns, limits)

    def examples_from_arrays(
        self, arrays: Mapping[str, np.ndarray], columns: Sequence[Column], limits: Bounds
    ) -> list[Example]:
        """Take arrays with an axis of rows before the columns' own; nothing is copied that need not be.

        Raises:
            InputError: Another shape, or numbers that the column's dtype cannot hold.
        """
        read = {}
        for column in columns:
            array = fitting(arrays[column.name], column)
            check_count(len(array), "/inputs", limits)
            _check_size(math.prod(array.shape[1:]), f"/inputs/{column.name}", limits)
            read[column.name] = exact(array, column)
        if len(read) == 1:
            [(name, array)] = read.items()
            return [{name: row} for row in array]
        return [dict(zip(read, row, strict=True)) for row in zip(*read.values(), strict=True)]

    def to_json(self, example: Example, columns: Sequence[Column]) -> Any:
        """Return the numbers as a nested list, or as an object of those."""
        lists = {c.name: np.asarray(example[c.name]).tolist() for c in columns}
        return lists if len(columns) > 1 else lists[columns[0].name]

    def json_schema(self, columns: Sequence[Column], limits: Bounds) -> dict[str, Any]:
        """Return the schema of one tensor as a nested list, or of one object of those."""
        schemas = {c.name: _schema(c, limits) for c in columns}
        if len(columns) == 1:
            return schemas[columns[0].name]
        return {
            "type": "object",
            "properties": schemas,
            "required": [c.name for c in columns],
            "additionalProperties": False,
        }


def _is_one(inputs: Any, shape: tuple[int, ...]) -> bool:
    """Whether this is one tensor, not a list of them."""
    if not shape or not isinstance(inputs, list) or not inputs:
        return not isinstance(inputs, list)
    depth, value = 0, inputs
    while isinstance(value, list) and depth <= len(shape):
        depth, value = depth + 1, value[0] if value else None
    if depth == 2 == len(shape):  # two lists of two numbers: one nested tensor, or two flat ones
        return shape[0] in (-1, len(inputs)) and shape[1] in (-1, len(inputs[0]))
    return depth in (1, len(shape))


def _object(value: Any, columns: Sequence[Column], pointer: str, limits: Bounds) -> Example:
    check_names(value, columns, pointer)
    return {c.name: _array(value[c.name], c, pointer_to(pointer, c.name), limits) for c in columns}


def _array(value: Any, column: Column, pointer: str, limits: Bounds) -> np.ndarray:
    return from_lists(value, column.shape, column.dtype, pointer, limits.max_tensor_values)


def _shape_in_bytes(count: int, column: Column) -> tuple[int, ...]:
    row_bytes = np.dtype(column.dtype).itemsize * math.prod(size for size in column.shape if size != -1)
    if not count or count % row_bytes:
        raise InputError(
            f"The body has {count:,} bytes; expected a multiple of {row_bytes:,}: "
            f"{column.dtype}, little-endian, of the shape {list(column.shape)}.",
            param="/inputs",
        )
    length = count // row_bytes
    if -1 in column.shape:
        return (1, *(length if size == -1 else size for size in column.shape))
    return (length, *column.shape)


def _check_size(values: int, pointer: str, limits: Bounds) -> None:
    if values > limits.max_tensor_values:
        raise TooLongError(
            f"{values:,} numbers at {pointer}; this model accepts {limits.max_tensor_values:,}.",
            param=pointer,
        )


def _schema(column: Column, limits: Bounds) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "boolean"}
    if column.dtype != "bool":
        least, most = range_of(column.dtype)
        schema = {
            "type": "number" if column.dtype.startswith("float") else "integer",
            "minimum": least,
            "maximum": most,
        }
    for size in reversed(column.shape):
        length = {"minItems": size, "maxItems": size} if size != -1 else _free(limits)
        schema = {"type": "array", "items": schema, **length}
    if len(column.shape) > 1 and -1 not in column.shape:
        schema["description"] = "Or one flat list in row-major order."
    return schema


def _free(limits: Bounds) -> dict[str, Any]:
    return {"minItems": 1, "maxItems": limits.max_tensor_values}


TENSOR = TensorForm()
