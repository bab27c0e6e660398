"""Tensors as they come: nested, flat or raw; and everything that is no tensor of the shape."""

from typing import Any

import numpy as np
import pytest

from servery.data.columns import TENSOR_DTYPES, Column, Kind, Role
from servery.errors import InputError, TooLongError, UnsupportedMediaError
from servery.models.signature import Limits
from servery.tasks.forms.tensor import RAW, TENSOR

LIMITS = Limits(max_inputs=3, max_tensor_values=50)


def column(*shape: int, dtype: str = "float32") -> Column:
    return Column("x", Kind.TENSOR, Role.INPUT, shape=shape, dtype=dtype)


def read(inputs: Any, *shape: int, dtype: str = "float32") -> list[Any]:
    return [e["x"].tolist() for e in TENSOR.examples(inputs, (column(*shape, dtype=dtype),), LIMITS)]


@pytest.mark.parametrize(
    ("shape", "inputs", "expected"),
    [
        ((2,), [1, 2], [[1, 2]]),
        ((2,), [[1, 2], [3, 4]], [[1, 2], [3, 4]]),
        ((), 1.5, [1.5]),
        ((), [1.5, 2.5], [1.5, 2.5]),
        ((2, 2), [[1, 2], [3, 4]], [[[1, 2], [3, 4]]]),
        ((2, 2), [1, 2, 3, 4], [[[1, 2], [3, 4]]]),
        ((2, 2), [[1, 2, 3, 4], [5, 6, 7, 8]], [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]),
        ((2, 2), [[[1, 2], [3, 4]]], [[[1, 2], [3, 4]]]),
        ((1, 2), [[1, 2]], [[[1, 2]]]),
        ((1, 2), [[1, 2], [3, 4]], [[[1, 2]], [[3, 4]]]),
        ((1, 2, 1), [1, 2], [[[[1], [2]]]]),
        ((-1,), [1, 2, 3], [[1, 2, 3]]),
        ((-1,), [[1], [2, 3]], [[1], [2, 3]]),
        ((-1, 2), [[1, 2], [3, 4], [5, 6]], [[[1, 2], [3, 4], [5, 6]]]),
    ],
)
def test_one_tensor_and_several_are_told_apart(shape, inputs, expected):
    assert read(inputs, *shape) == expected
    assert TENSOR.is_batch(inputs, (column(*shape),)) == (len(expected) > 1 or inputs == [[[1, 2], [3, 4]]])


@pytest.mark.parametrize(
    ("shape", "inputs", "place"),
    [
        ((2,), [1, 2, 3], "/inputs"),
        ((2,), [1, "2"], "/inputs/1"),
        ((2,), [1, None], "/inputs/1"),
        ((2,), [1, True], "/inputs/1"),
        ((2,), [1, 1e39], "/inputs/1"),
        ((2,), [1, 10**400], "/inputs/1"),
        ((2,), [[1, 2], [3, float("nan")]], "/inputs/1/1"),
        ((2,), "12", "/inputs"),
        ((2,), {"x": [1, 2]}, "/inputs"),
        ((2, 2), [[1, 2], [3]], "/inputs/1"),
        ((2, 2), [[1, 2], 3], "/inputs/1"),
        ((2, 2), [[[1, 2], [3, 4]], [[1, 2], [3, "4"]]], "/inputs/1/1/1"),
        ((-1, 2), [[]], "/inputs/0"),
    ],
)
def test_what_is_no_tensor_of_the_shape_is_refused_with_its_place(shape, inputs, place):
    with pytest.raises(InputError) as caught:
        read(inputs, *shape)
    assert caught.value.param == place


@pytest.mark.parametrize(
    ("dtype", "good", "bad"),
    [
        ("int8", 127, 128),
        ("uint8", 255, -1),
        ("int64", 2**63 - 1, 2**63),
        ("uint64", 2**64 - 1, 2**64),
        ("int32", 5, 5.5),
        ("float16", 65504, 1e5),
        ("bool", True, 1),
    ],
)
def test_numbers_must_be_ones_that_the_dtype_holds(dtype, good, bad):
    assert read([good], 1, dtype=dtype) == [[good]]
    with pytest.raises(InputError):
        read([bad], 1, dtype=dtype)


@pytest.mark.parametrize("dtype", TENSOR_DTYPES)
def test_raw_bytes_are_whole_rows(dtype):
    rows = np.array([[1, 0, 1], [0, 1, 1]], dtype)
    sent = rows.astype(rows.dtype.newbyteorder("<")).tobytes()
    found = TENSOR.examples_from_bytes(sent, RAW, (column(3, dtype=dtype),), LIMITS)
    assert [e["x"].tolist() for e in found] == rows.tolist()
    for torn in (sent[:-1], b"", sent * 2):
        with pytest.raises(InputError):
            TENSOR.examples_from_bytes(torn, RAW, (column(3, dtype=dtype),), LIMITS)


def test_raw_bytes_fill_one_free_axis_and_cannot_fill_two():
    sent = np.arange(6, dtype="<f4").tobytes()
    [found] = TENSOR.examples_from_bytes(sent, RAW, (column(-1, 2),), LIMITS)
    assert found["x"].shape == (3, 2)
    with pytest.raises(UnsupportedMediaError):
        TENSOR.examples_from_bytes(sent, RAW, (column(-1, -1),), LIMITS)
    with pytest.raises(UnsupportedMediaError):
        TENSOR.examples_from_bytes(sent, "text/plain", (column(-1, 2),), LIMITS)


def test_raw_numbers_that_are_not_finite_or_too_many_are_refused():
    with pytest.raises(InputError, match="NaN"):
        TENSOR.examples_from_bytes(np.array([1, np.inf], "<f4").tobytes(), RAW, (column(2),), LIMITS)
    with pytest.raises(TooLongError):
        TENSOR.examples_from_bytes(np.ones(51, "<f4").tobytes(), RAW, (column(-1),), LIMITS)
    with pytest.raises(TooLongError):
        read([1.0] * 51, -1)


@pytest.mark.parametrize(
    ("values", "dtype", "is_exact"),
    [
        (np.array([[1, 2]], "int64"), "float32", True),
        (np.array([[2**24 + 1, 0]], "int64"), "float32", False),
        (np.array([[2**31, 0]], "int64"), "int32", False),
        (np.array([[255, 0]], "int16"), "uint8", True),
        (np.array([[0.1, 0]], "float64"), "float32", True),
        (np.array([[1e300, 0]], "float64"), "float32", False),
        (np.array([[1.0, 2.0]], "float32"), "int32", False),
        (np.array([[True, False]]), "float32", True),
        (np.array([[1, 0]], "int8"), "bool", False),
        (np.array([["a", "b"]], object), "float32", False),
    ],
)
def test_arrays_are_converted_only_where_nothing_is_lost(values, dtype, is_exact):
    columns = (column(2, dtype=dtype),)
    if not is_exact:
        with pytest.raises(InputError):
            TENSOR.examples_from_arrays({"x": values}, columns, LIMITS)
        return
    [found] = TENSOR.examples_from_arrays({"x": values}, columns, LIMITS)
    assert found["x"].dtype == dtype
    assert np.allclose(found["x"], values[0])


def test_an_array_of_the_right_dtype_is_not_copied():
    values = np.ones((2, 4), np.float32)
    for row in TENSOR.examples_from_arrays({"x": values}, (column(4),), LIMITS):
        assert np.shares_memory(row["x"], values)


def test_a_column_that_can_be_no_tensors_is_refused():
    for shape, dtype in (((0,), "float32"), ((-2,), "float32"), ((1,), "object"), ((1,), "complex64")):
        with pytest.raises(ValueError, match="tensor"):
            Column("x", Kind.TENSOR, Role.INPUT, shape=shape, dtype=dtype)


def test_a_tensor_column_comes_back_from_json_and_others_say_nothing_of_shapes():
    made = column(-1, 3, dtype="int8")
    assert Column.from_dict(made.to_dict()) == made
    assert "shape" not in Column("x", Kind.TEXT, Role.INPUT).to_dict()
