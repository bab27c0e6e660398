"""Numbers that outlive the process that counts them: kept in memory that the workers of a server share.

A worker that is killed leaves its numbers behind; the one that takes its place counts on from there, so that no
counter ever falls. Every worker can read the numbers of all.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Sequence

import msgspec

NUMBERS = 2**20
"""Room of one worker: some 13,000 sets of labels. The memory is taken only as it is written to."""
INDEX_BYTES = 4 * 2**20
LENGTH_BYTES = 8

Labels = tuple[str, ...]


class Tallies:
    """The numbers of one worker, in groups found by a name and labels. Only one process writes them.

    >>> tallies = Tallies()
    >>> place = tallies.place("visits", ("home",), 1)
    >>> tallies.numbers[place] += 2
    >>> list(tallies.read())
    [('visits', ('home',), [2.0])]
    """

    def __init__(self) -> None:
        # Anonymous memory, shared with the processes forked from now on: it has no file that others could read.
        self.numbers = memoryview(mmap.mmap(-1, NUMBERS * 8)).cast("d")
        self._index = mmap.mmap(-1, INDEX_BYTES)
        self._places: dict[tuple[str, Labels], int] = {}
        self._used = 0

    def take_over(self) -> None:
        """Go on with what the process before left here."""
        for name, labels, start, width in self._groups():
            self._places[name, labels] = start
            self._used = start + width

    def place(self, name: str, labels: Labels, width: int) -> int:
        """Return where a group of so many numbers begins in `numbers`; a new one holds zeros.

        When all room is taken, new labels share one group in which every label is empty.
        """
        found = self._places.get((name, labels))
        if found is not None:
            return found
        line = msgspec.json.encode((name, labels, self._used, width)) + b"\n"
        end = self._index_end()
        is_full = self._used + width > NUMBERS - 2**10 or end + len(line) > INDEX_BYTES - 2**16
        if is_full and any(labels):
            return self.place(name, ("",) * len(labels), width)
        start = self._used
        self._index[end : end + len(line)] = line
        # The length last: who reads meanwhile sees the whole line or none of it.
        self._index[:LENGTH_BYTES] = (end + len(line)).to_bytes(LENGTH_BYTES, "little")
        self._places[name, labels] = start
        self._used = start + width
        return start

    def read(self) -> Iterator[tuple[str, Labels, list[float]]]:
        """Yield every group: its name, its labels, its numbers; also of another process."""
        for name, labels, start, width in self._groups():
            yield name, labels, list(self.numbers[start : start + width])

    def _groups(self) -> Iterator[tuple[str, Labels, int, int]]:
        for line in self._index[LENGTH_BYTES : self._index_end()].splitlines():
            yield msgspec.json.decode(line, type=tuple[str, Labels, int, int])

    def _index_end(self) -> int:
        return max(int.from_bytes(self._index[:LENGTH_BYTES], "little"), LENGTH_BYTES)


def summed(workers: Sequence[Tallies]) -> dict[tuple[str, Labels], list[float]]:
    """Return every group with the numbers of all workers added up."""
    totals: dict[tuple[str, Labels], list[float]] = {}
    for tallies in workers:
        for name, labels, numbers in tallies.read():
            before = totals.get((name, labels))
            totals[name, labels] = (
                numbers if before is None else [a + b for a, b in zip(before, numbers, strict=True)]
            )
    return totals
