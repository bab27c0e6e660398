"""How many rows of a job are asked at once: so few that whoever else asks the model hardly waits for them."""

from __future__ import annotations

SLICE_SECONDS = 0.1
"""How long the model should work on one slice: a request that comes meanwhile waits for that, if for anything."""
FIRST_ROWS = 8
FORGETTING = 0.3
"""Weight of the newest slice in the running mean."""


class Pace:
    """Learns how long a row takes, and says how many to send.

    Args:
        most_rows: Of one slice.

    >>> pace = Pace(most_rows=128)
    >>> pace.note(rows=8, compute_seconds=0.4)
    >>> pace.rows
    2
    """

    def __init__(self, most_rows: int) -> None:
        self._most_rows = max(most_rows, 1)
        self._seconds_a_row: float | None = None

    @property
    def rows(self) -> int:
        """Rows of the next slice."""
        if self._seconds_a_row is None:
            return min(FIRST_ROWS, self._most_rows)
        return max(1, min(int(SLICE_SECONDS / max(self._seconds_a_row, 1e-9)), self._most_rows))

    def note(self, rows: int, compute_seconds: float) -> None:
        """Learn from a slice that was answered."""
        latest = compute_seconds / max(rows, 1)
        before = latest if self._seconds_a_row is None else self._seconds_a_row
        self._seconds_a_row = before + FORGETTING * (latest - before)
