"""One thing a check found in a data set, in a sentence for people and in fields for programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from servery.data.columns import Role
from servery.data.dataset import Dataset

SEVERITIES = ("note", "warning", "error")


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Attributes:
        code: Stable name of the check, e.g. "duplicate_rows".
        severity: "note", "warning" or "error".
        message: One sentence with the numbers and the first lines.
        column: The column it is about; empty for whole rows.
        lines: The first line numbers concerned.
        is_leak: Whether scores on this data would not be worth believing.
    """

    code: str
    severity: str
    message: str
    column: str = ""
    lines: tuple[int, ...] = ()
    is_leak: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as plain JSON types."""
        return asdict(self) | {"lines": list(self.lines)}


def first_lines(dataset: Dataset, rows: np.ndarray, count: int = 5) -> tuple[int, ...]:
    """Return where the first of some rows stand in their file.

    Args:
        dataset: The data set.
        rows: Row positions or a boolean mask.
        count: How many at most.
    """
    return tuple(int(line) for line in dataset.line_numbers[rows][:count])


def in_lines(dataset: Dataset, rows: np.ndarray, count: int = 3) -> str:
    """Return "line 7" or "lines 7, 9, 12 ..." for a sentence; with parts the file is named too."""
    positions = np.flatnonzero(rows) if rows.dtype == bool else rows
    part = next((c.name for c in dataset.columns if c.role is Role.PART), None)
    shown = [
        f"{dataset.line_numbers[row]}" + (f" of {dataset[part][row]}" if part else "")
        for row in positions[:count]
    ]
    more = " ..." if len(positions) > count else ""
    return f"{'line' if len(positions) == 1 else 'lines'} {', '.join(shown)}{more}"


def percent(share: float) -> str:
    """Return a share for a sentence; nearly all is not said as all.

    >>> percent(0.5), percent(0.004), percent(0.99999)
    ('50 %', '0.4 %', '99.99 %')
    """
    if 0.99 < share < 1:
        return f"{np.floor(share * 10_000) / 100:g} %"
    return f"{100 * share:.0f} %" if share >= 0.1 or share == 0 else f"{100 * share:.2g} %"


def counted(count: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun.

    >>> counted(1, "row"), counted(2000, "row")
    ('1 row', '2,000 rows')
    """
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"
