"""The board of rates: one bucket for all processes, also after a restart and beside a process that was stopped."""

from __future__ import annotations

import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from servery.gateway.rate_board import LOOKED_AT, SLOTS, RateBoard, name_of


@pytest.fixture
def board(tmp_path: Path) -> Iterator[RateBoard]:
    opened = RateBoard(tmp_path / "rates.board")
    yield opened
    opened.close()


def test_a_bucket_gives_what_it_holds_and_fills_in_a_minute(board: RateBoard) -> None:
    name = name_of("key", "rows_per_minute")
    assert board.take(name, 60.0, 50, 55) == (55.0, 5.0)
    taken, left = board.take(name, 60.0, 6, 6)
    assert taken == 0
    time.sleep(1.1)
    taken, left = board.take(name, 60.0, 6, 100)
    assert 6 <= taken < 7
    assert left == pytest.approx(0.0)
    assert board.give(name, 60.0, 20) >= 20


def test_two_who_open_the_same_file_share_it_and_others_cannot_read_it(
    board: RateBoard, tmp_path: Path
) -> None:
    other = RateBoard(tmp_path / "rates.board")
    name = name_of("key", "requests_per_minute")
    assert board.take(name, 10.0, 10, 10)[0] == 10
    assert other.take(name, 10.0, 1, 1)[0] == 0
    assert other.take(name_of("key2", "requests_per_minute"), 10.0, 1, 1)[0] == 1
    assert (tmp_path / "rates.board").stat().st_mode & 0o777 == 0o600
    other.close()


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    size=st.integers(1, 10**15),
    steps=st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)), max_size=40),
)
def test_a_bucket_never_gives_more_than_it_holds_and_gets(
    board: RateBoard, size: int, steps: list[tuple[float, float, float]]
) -> None:
    name = name_of(f"key{time.monotonic_ns()}", "rows_per_minute")
    started, taken = time.monotonic(), 0.0
    for needed, more, back in steps:
        got, left = board.take(name, size, needed * size, (needed + more) * size)
        assert got == 0 or needed * size <= got <= (needed + more) * size * (1 + 1e-9)
        assert left >= -1e-6 * size
        taken += got
        board.give(name, size, got * back)
        taken -= got * back
    filled = (time.monotonic() - started) * size / 60
    assert taken <= (size + filled) * (1 + 1e-6)


def test_numbers_of_a_clock_that_was_ahead_are_forgotten(board: RateBoard, tmp_path: Path) -> None:
    # The monotonic clock begins anew when the machine starts.
    name = name_of("key", "rows_per_minute")
    board.take(name, 10.0, 10, 10)
    content = bytearray((tmp_path / "rates.board").read_bytes())
    place = content.find(name)
    struct.pack_into("=d", content, place + 24, time.monotonic() + 10**6)
    (tmp_path / "rates.board").write_bytes(content)
    assert board.take(name, 10.0, 10, 10)[0] == 10


def test_a_board_that_is_full_gives_up_the_rate_unused_for_longest(board: RateBoard) -> None:
    names = [struct.pack("<IQI", 7, number, 0) for number in range(LOOKED_AT + 1)]
    for name in names:
        assert board.take(name, 10.0, 10, 10)[0] == 10
    assert board.take(names[-1], 10.0, 1, 1)[0] == 0
    assert board.take(names[1], 10.0, 1, 1)[0] == 0
    assert board.take(names[0], 10.0, 1, 1)[0] == 1
    assert len({name_of(f"key{n}", "x") for n in range(SLOTS)}) == SLOTS


HOLDER = """
import fcntl, os, sys
file = os.open(sys.argv[1], os.O_RDWR)
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.readline()
"""


@pytest.mark.skipif(os.name != "posix", reason="locks are POSIX")
def test_a_process_that_was_stopped_with_the_board_in_its_hand_delays_nobody(
    board: RateBoard, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "rates.board")]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    holder.send_signal(signal.SIGSTOP)
    started = time.monotonic()
    for _ in range(10):
        board.take(name_of("key", "rows_per_minute"), 100.0, 1, 1)
    assert time.monotonic() - started < 0.5
    holder.kill()  # the system gives its lock back
    holder.communicate()
    started = time.monotonic()
    for _ in range(1000):
        board.take(name_of("key", "rows_per_minute"), 10000.0, 1, 1)
    assert time.monotonic() - started < 0.5
