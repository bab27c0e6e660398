"""Frames: every number arrives as it was sent, and nothing hostile is believed."""

from __future__ import annotations

import json
import re
import socket
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from servery.errors import ShapeError
from servery.serving.frames import JOINED_BYTES, MAX_HEADER_BYTES, Frame, receive, send

DTYPES = ["<f4", "<f8", "<f2", "<i8", "<i4", "|i1", "|u1", "<u8", "|b1"]


def exchanged(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        sender = threading.Thread(target=send, args=(ours, Frame(kind="run"), arrays))
        sender.start()
        frame, received = receive(theirs, time.monotonic() + 5)
        sender.join()
    assert frame.kind == "run"
    return received


@given(
    dtype=st.sampled_from(DTYPES),
    shape=st.lists(st.integers(0, 5), max_size=4).map(tuple),
    seed=st.integers(0, 2**32 - 1),
)
def test_an_array_arrives_as_it_was_sent(dtype: str, shape: tuple[int, ...], seed: int) -> None:
    raw = np.random.default_rng(seed).bytes(int(np.prod(shape)) * np.dtype(dtype).itemsize)
    array = np.frombuffer(raw, dtype).reshape(shape)
    received = exchanged({"x": array, "numbers": np.arange(3)})
    assert received["x"].dtype == array.dtype
    assert received["x"].shape == array.shape
    assert received["x"].tobytes() == array.tobytes()
    assert received["numbers"].tolist() == [0, 1, 2]


def test_large_arrays_and_views_arrive_too() -> None:
    large = np.arange(JOINED_BYTES, dtype=np.float32).reshape(-1, 64)[:, ::2]
    assert np.array_equal(exchanged({"x": large})["x"], large)


def test_rows_of_different_shapes_arrive_as_they_were_sent() -> None:
    rows = np.empty(4, object)
    rows[:] = ["早上好", np.arange(6, dtype=np.float32).reshape(2, 3), np.zeros((0, 2), np.int64), ""]
    received = exchanged({"outputs": rows, "x": np.arange(3)})
    for sent, row in zip(rows, received["outputs"], strict=True):
        assert type(sent) is type(row)
        assert np.array_equal(sent, row)
        assert getattr(sent, "dtype", None) == getattr(row, "dtype", None)
    assert received["x"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "rows", [b"\xc1", b"\x91\x94\xc0\xa3|O8\x91\x01\xc4\x00", b"\x91\x94\xc0\xa3<f4\x91\x05\xc4\x01x"]
)
def test_rows_that_lie_are_not_believed(rows: bytes) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        header = described("rows", len(rows))
        ours.sendall(len(header).to_bytes(4, "big") + header + rows)
        with pytest.raises(ValueError, match=r"row|array"):
            receive(theirs, time.monotonic() + 5)


def test_objects_do_not_travel() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, pytest.raises(ShapeError):
        send(ours, Frame(kind="run"), {"x": np.array([object()])})


def described(dtype: str, *shape: int) -> bytes:
    return json.dumps({"kind": "run", "arrays": [{"name": "x", "dtype": dtype, "shape": shape}]}).encode()


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (b"{]", "JSON"),
        (b"[]", "object"),
        (b'{"kind":1}', "str"),
        (described("|O", 1), "an array of |O"),
        (described("<U9", 1), "an array of <U9"),
        (described("x", 1), "an array of x"),
        (described("", 1), "an array of"),
        (described("<f4", -1), "shape"),
        (described("<f4", 999_999, 999_999), "bytes"),
        (described("<f4", *[2**40] * 9), "bytes"),
        (b" " * (MAX_HEADER_BYTES + 1), "header"),
    ],
)
def test_what_is_no_frame_is_refused_before_memory_is_spent(header: bytes, told: str) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(len(header).to_bytes(4, "big") + header[:1000])
        with pytest.raises(ValueError, match=re.escape(told)):
            receive(theirs, time.monotonic() + 5)


def test_half_a_frame_ends_by_the_bound_and_a_closed_connection_at_once() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"\x00\x00")
        with pytest.raises(TimeoutError):
            receive(theirs, time.monotonic() + 0.05)
        ours.close()
        with pytest.raises(EOFError):
            receive(theirs, time.monotonic() + 5)
