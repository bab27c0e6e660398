"""Checks an ONNX file before anything loads it: it parses as protobuf and points at no other file.

ONNX tensors may name an external file by any path; this walk finds such tensors without the onnx library.
Source: onnx.proto of the ONNX project (field numbers), the protobuf encoding guide (wire types).
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BufferedReader
from mmap import ACCESS_READ, mmap

MAX_FIELDS = 1_000_000
"""Fields walked before a file is refused: about a second. A forest of trees has one for every number in it."""
MAX_DEPTH = 64

EXTERNAL_DATA, DATA_LOCATION = 13, 14
MODEL_IR_VERSION, MODEL_GRAPH = 1, 7

CHILDREN: dict[str, dict[int, str]] = {
    "model": {MODEL_GRAPH: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}
"""For every kind of message that can hold a tensor: field number to the kind of message inside."""

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5


def check_onnx(file: BufferedReader, size_bytes: int) -> None:
    """Check a file from its start to its end.

    Raises:
        ValueError: It is no ONNX model, or a tensor's data is in another file; the message says which.
    """
    if size_bytes == 0:
        raise ValueError("empty")
    with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        _walk(data, size_bytes)


def _walk(data: mmap, size_bytes: int) -> None:
    seen: set[int] = set()
    left = MAX_FIELDS
    messages = [("model", 0, size_bytes, 0)]
    while messages:
        kind, start, end, depth = messages.pop()
        for number, wire, value, value_end in _fields(data, start, end):
            left -= 1
            if left < 0 or depth > MAX_DEPTH:
                raise ValueError(f"more than {MAX_FIELDS:,} fields or {MAX_DEPTH} levels")
            if kind == "model":
                seen.add(number)
            if kind == "tensor" and (number == EXTERNAL_DATA or (number == DATA_LOCATION and value != 0)):
                raise ValueError("a tensor keeps its data in another file")
            inside = CHILDREN[kind].get(number)
            if inside is not None:
                if wire != LENGTH:
                    raise ValueError(f"field {number} of a {kind} is no message")
                messages.append((inside, value, value_end, depth + 1))
    if not {MODEL_IR_VERSION, MODEL_GRAPH} <= seen:
        raise ValueError("no ONNX model: it lacks a version or a graph")


def _fields(data: mmap, position: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """Yield (number, wire type, value or start of the content, end of the content)."""
    while position < end:
        tag, position = _varint(data, position, end)
        number, wire = tag >> 3, tag & 7
        if not 0 < number < 2**29:
            raise ValueError(f"no ONNX model: field {number} in byte {position:,}")
        if wire == VARINT:
            value, position = _varint(data, position, end)
            yield number, wire, value, position
            continue
        if wire == LENGTH:
            length, position = _varint(data, position, end)
        elif wire in (FIXED64, FIXED32):
            length = 8 if wire == FIXED64 else 4
        else:
            raise ValueError(f"no ONNX model: wire type {wire} in byte {position:,}")
        if length > end - position:
            raise ValueError(f"no ONNX model: a field is cut off in byte {position:,}")
        yield number, wire, position, position + length
        position += length


def _varint(data: mmap, position: int, end: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= end:
            raise ValueError(f"no ONNX model: a number is cut off in byte {position:,}")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError(f"no ONNX model: a number is too long in byte {position:,}")
