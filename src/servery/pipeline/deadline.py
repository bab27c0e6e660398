"""How the time until a training's deadline is shared out: baseline, fit, and what follows the fit."""

from __future__ import annotations

import time

AFTERWARDS_SHARE = 0.4
"""Share of a deadline kept for what follows the fit: calibration, export, evaluation, report."""
AFTERWARDS_SECONDS = 15.0
"""Most seconds of a deadline kept for what follows the fit."""
EXPORT_SECONDS = 7.0
"""An export takes 3 to 6 s on two cores; with less than this left of a deadline it is not begun."""
BASELINE_SHARE = 0.1
BASELINE_SECONDS = 6.0
"""Least time of the cheap baseline under a deadline: what torch loads at its first step takes half of it."""
BASELINE_SECONDS_UNASKED = 60.0
"""Time of the cheap baseline where there is no deadline."""


class Deadline:
    """Counts from the moment it is made.

    Args:
        seconds: Wall-clock seconds for the whole training; 0 for no limit.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._started = time.monotonic()

    @property
    def spent_seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    @property
    def baseline_seconds(self) -> float:
        """What the cheap baseline may take."""
        share = max(BASELINE_SHARE * self.seconds, BASELINE_SECONDS)
        return share if self.seconds else BASELINE_SECONDS_UNASKED

    @property
    def fit_seconds(self) -> float | None:
        """What the fit may take from now on; None for no limit."""
        if not self.seconds:
            return None
        kept = min(AFTERWARDS_SHARE * self.seconds, AFTERWARDS_SECONDS)
        return max(self.seconds - kept - self.spent_seconds, 1.0)

    @property
    def is_missed(self) -> bool:
        """Whether more than the deadline and a twentieth of it has passed."""
        return bool(self.seconds) and self.spent_seconds > 1.05 * self.seconds

    @property
    def allows_export(self) -> bool:
        """Whether an export begun now would be done in time."""
        return not self.seconds or self.seconds - self.spent_seconds > EXPORT_SECONDS
