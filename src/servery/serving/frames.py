"""How arrays travel between a server and the process of an isolated model: a small header, then raw bytes.

A frame is four bytes of the header's length (big-endian), the header in JSON, and the arrays one after the other. Only
numbers and texts travel, so nothing that arrives can run, and every length is checked before memory is spent on it.
"""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Mapping
from typing import Any

import msgspec
import numpy as np

from servery.errors import ShapeError

MAX_HEADER_BYTES = 2**20
MAX_ARRAY_BYTES = 2**30
"""All arrays of a frame together."""
JOINED_BYTES = 2**16
"""Up to here one copy is cheaper than one more call of the kernel an array."""
NUMBERS = frozenset(np.dtype(kind).str for kind in "?bhiqBHIQefd")
"""What may travel: booleans, whole numbers of 1 to 8 bytes, floating point numbers of 2 to 8."""

ROWS = "rows"
"""In place of a type: rows of different shapes, each a text or numbers, as MessagePack."""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """One of such rows: a text, or numbers with their type and shape."""

    text: str | None = None
    dtype: str = ""
    shape: tuple[int, ...] = ()
    data: bytes = b""


class Array(msgspec.Struct, frozen=True):
    """Name, type and shape of an array whose bytes follow the header."""

    name: str
    dtype: str
    shape: tuple[int, ...]


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """A message.

    Attributes:
        kind: "load", "ready", "run", "outputs" or "error".
        arrays: What follows.
        folder: Of "load": the artifact.
        threads: Of "load".
        memory_bytes: Of "load": most private memory the process may have, 0 for no bound.
        runtime: Of "ready": what was loaded.
        code: Of "error": the code of a ServeryError, or the name of another.
        message: Of "error".
        hint: Of "error".
        param: Of "error".
    """

    kind: str
    arrays: tuple[Array, ...] = ()
    folder: str = ""
    threads: int = 1
    memory_bytes: int = 0
    runtime: str = ""
    code: str = ""
    message: str = ""
    hint: str | None = None
    param: str | None = None


_DECODER = msgspec.json.Decoder(Frame)
_ROWS_DECODER = msgspec.msgpack.Decoder(list[Row])


def send(connection: socket.socket, frame: Frame, arrays: Mapping[str, np.ndarray] | None = None) -> None:
    """Send a frame with its arrays.

    Raises:
        ShapeError: An array holds something else than numbers and texts.
        OSError: The other side is gone, or the socket's time-out passed.
    """
    given = {name: np.asarray(array, order="C") for name, array in (arrays or {}).items()}
    parts = {name: _packed(name, array) if array.dtype == object else array for name, array in given.items()}
    for name, array in parts.items():
        _refuse_others(name, array)
    types = {name: ROWS if array.dtype == object else array.dtype.str for name, array in given.items()}
    described = tuple(Array(name, types[name], array.shape) for name, array in parts.items())
    header = msgspec.json.encode(msgspec.structs.replace(frame, arrays=described))
    head = len(header).to_bytes(4, "big") + header
    if sum(array.nbytes for array in parts.values()) <= JOINED_BYTES:
        connection.sendall(b"".join([head, *(array.tobytes() for array in parts.values())]))
        return
    connection.sendall(head)
    for array in parts.values():
        if array.nbytes:
            connection.sendall(array.reshape(-1).view(np.uint8).data)


def receive(connection: socket.socket, ends_at: float = math.inf) -> tuple[Frame, dict[str, np.ndarray]]:
    """Receive a frame with its arrays.

    Args:
        connection: Where from.
        ends_at: On the monotonic clock; until then the whole frame must be here.

    Raises:
        EOFError: The other side is gone.
        TimeoutError: It took too long.
        ValueError: What came is no frame, or too large.
    """
    length = int.from_bytes(_bytes(connection, 4, ends_at), "big")
    if length > MAX_HEADER_BYTES:
        raise ValueError(f"a header of {length} bytes")
    frame = _DECODER.decode(bytes(_bytes(connection, length, ends_at)))
    sizes = [_array_bytes(array) for array in frame.arrays]
    if sum(sizes) > MAX_ARRAY_BYTES:
        raise ValueError(f"arrays of {sum(sizes)} bytes")
    arrays = {}
    for array, size in zip(frame.arrays, sizes, strict=True):
        raw = _bytes(connection, size, ends_at)
        arrays[array.name] = (
            _unpacked(raw) if array.dtype == ROWS else raw.view(array.dtype).reshape(array.shape)
        )
    return frame, arrays


def _packed(name: str, rows: np.ndarray) -> np.ndarray:
    """Return rows of different shapes as bytes."""
    packed = []
    for row in rows:
        if isinstance(row, str):
            packed.append(Row(text=row))
            continue
        array = np.asarray(row, order="C")
        _refuse_others(name, array)
        packed.append(Row(dtype=array.dtype.str, shape=array.shape, data=array.tobytes()))
    return np.frombuffer(msgspec.msgpack.encode(packed), np.uint8)


def _unpacked(raw: np.ndarray) -> np.ndarray:
    """Return the rows that bytes hold.

    Raises:
        ValueError: They hold none, or lie about their sizes.
    """
    try:
        rows = _ROWS_DECODER.decode(raw.tobytes())
    except msgspec.DecodeError as error:
        raise ValueError(f"rows that cannot be read: {error}") from error
    found = np.empty(len(rows), object)
    for place, row in enumerate(rows):
        if row.text is not None:
            found[place] = row.text
            continue
        if len(row.data) != _array_bytes(Array("", row.dtype, row.shape)):
            raise ValueError(f"a row of {len(row.data)} bytes with the shape {row.shape}")
        found[place] = np.frombuffer(row.data, row.dtype).reshape(row.shape).copy()
    return found


def _refuse_others(name: str, array: np.ndarray) -> None:
    if array.dtype.str not in NUMBERS:
        raise ShapeError(
            f"The array {name!r} holds {array.dtype}; only numbers and texts travel to another process."
        )


def _array_bytes(array: Array) -> int:
    if array.dtype == ROWS and len(array.shape) == 1 and array.shape[0] >= 0:
        return array.shape[0]
    if array.dtype not in NUMBERS or any(length < 0 for length in array.shape):
        raise ValueError(f"an array of {array.dtype} with the shape {array.shape}")
    return math.prod(array.shape) * np.dtype(array.dtype).itemsize


def _bytes(connection: socket.socket, count: int, ends_at: float) -> np.ndarray[Any, Any]:
    found = np.empty(count, np.uint8)
    view = found.data
    while len(view):
        if ends_at != math.inf:
            left = ends_at - time.monotonic()
            if left <= 0:
                raise TimeoutError
            connection.settimeout(left)
        received = connection.recv_into(view)
        if not received:
            raise EOFError
        view = view[received:]
    return found
