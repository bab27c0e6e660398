"""What is spent of every rate, in a file that all server processes of a data home share as memory."""

from __future__ import annotations

import hashlib
import mmap
import os
import struct
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from servery.storage.files import writing

if sys.platform != "win32":
    import fcntl

PERIOD_SECONDS = 60.0
"""A bucket holds what its rate allows in this time, and fills from empty to full in it."""
SLOTS = 2**14
LOOKED_AT = 64
"""Slots where a rate may be; one that nobody used for a period is as good as free."""
LONGEST_WAIT_SECONDS = 0.002
"""For the other processes; each holds the board for microseconds, so one that does not give it back was stopped."""

_SLOT = struct.Struct("=16sdd")
_ROUNDING = 1e-9


class RateBoard:
    """Buckets of tokens, one a rate, exact for all processes of one machine that open the same file.

    Times are those of the monotonic clock, which processes of one machine share and nobody can set.

    Args:
        path: The file; made if it is new. What it holds is worth a minute, so it is never flushed.

    Raises:
        StorageError: The file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        size_bytes = SLOTS * _SLOT.size
        with writing(path):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            if os.fstat(self._file).st_size < size_bytes:
                os.truncate(self._file, size_bytes)
            self._memory = mmap.mmap(self._file, size_bytes)

    def close(self) -> None:
        """Let the file go."""
        if not self._memory.closed:
            self._memory.close()
            os.close(self._file)

    def take(self, name: bytes, size: float, needed: float, wanted: float) -> tuple[float, float]:
        """Take tokens out of a bucket: from what is needed up to what is wanted, or none.

        Args:
            name: 16 bytes that stand for the rate; see `name_of`.
            size: Tokens the bucket holds when full.
            needed: As many or none.
            wanted: At least `needed`.

        Returns:
            Tokens taken, and tokens left in the bucket.
        """
        with self._held():
            now = time.monotonic()
            place, spent = self._find(name, size, now)
            free = size - spent
            if free + _ROUNDING * size < needed:
                return 0.0, free
            taken = max(needed, min(wanted, free))
            _SLOT.pack_into(self._memory, place, name, spent + taken, now)
            return taken, free - taken

    def give(self, name: bytes, size: float, tokens: float) -> float:
        """Put tokens back, or take more than there are where negative; return how many are left."""
        with self._held():
            now = time.monotonic()
            place, spent = self._find(name, size, now)
            spent = max(0.0, spent - tokens)
            _SLOT.pack_into(self._memory, place, name, spent, now)
            return size - spent

    def _find(self, name: bytes, size: float, now: float) -> tuple[int, float]:
        """Return where a rate's slot is, and what is spent of it now."""
        first = int.from_bytes(name[:4], "little")
        oldest, oldest_at = 0, float("inf")
        for step in range(LOOKED_AT):
            place = (first + step) % SLOTS * _SLOT.size
            found, spent, at = _SLOT.unpack_from(self._memory, place)
            # After the machine was started anew its clock is behind what it wrote before.
            is_stale = at > now + 1.0 or now - at >= PERIOD_SECONDS
            if found == name:
                passed = max(0.0, now - at)
                return place, 0.0 if is_stale else max(0.0, spent - passed * size / PERIOD_SECONDS)
            at = float("-inf") if is_stale else at
            if at < oldest_at:
                oldest, oldest_at = place, at
        return oldest, 0.0

    @contextmanager
    def _held(self) -> Iterator[None]:
        is_held = self._hold()
        try:
            yield
        finally:
            if is_held:
                fcntl.flock(self._file, fcntl.LOCK_UN)

    def _hold(self) -> bool:
        if sys.platform == "win32":
            return False  # there several processes cannot share a port
        end = 0.0
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            except BlockingIOError:
                now = time.monotonic()
                end = end or now + LONGEST_WAIT_SECONDS
                # To go on without it can cost one change of a bucket; to wait on would stop every answer.
                if now > end:
                    return False


def name_of(key_id: str, limit: str) -> bytes:
    """Return the 16 bytes that stand for a key's rate on the board."""
    return hashlib.blake2b(f"{key_id}/{limit}".encode(), digest_size=16).digest()
