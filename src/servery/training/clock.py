"""The wall-clock of a run over all its attempts, and when to stop so that a deadline is kept."""

from __future__ import annotations

import time

SLACK = 0.05
"""Share of the deadline in which the clock leaves the schedule alone."""


class Clock:
    """Seconds spent, seconds left, and what a step, a validation and a save cost.

    A run that was killed and goes on counts the seconds of its earlier attempts up to their last checkpoint.

    Args:
        deadline_seconds: Seconds the run may take; None for no limit.
    """

    def __init__(self, deadline_seconds: float | None) -> None:
        self.deadline_seconds = deadline_seconds
        self.earlier_seconds = 0.0
        self.step_seconds = 0.0
        self.save_seconds = 0.0
        self.validation_seconds: float | None = None
        self._start = self._step_start = time.monotonic()

    @property
    def elapsed_seconds(self) -> float:
        """Seconds since the first attempt began, without the pauses between attempts."""
        return self.earlier_seconds + time.monotonic() - self._start

    @property
    def share(self) -> float:
        """How much of the deadline is over, from 0.0 to 1.0; the first twentieth of it does not count.

        The schedule goes by the larger of this and the share of steps. The free part keeps a run that has
        ample time on its steps alone, whatever stutters at its start, and so equal to one without a deadline.
        """
        if self.deadline_seconds is None:
            return 0.0
        spent = self.elapsed_seconds / max(self.deadline_seconds, 1e-9)
        return min(max((spent - SLACK) / (1.0 - SLACK), 0.0), 1.0)

    def begin_steps(self) -> None:
        """Start timing steps; called after anything that is none."""
        self._step_start = time.monotonic()

    def end_step(self) -> None:
        """Take one step's time into their moving average."""
        now = time.monotonic()
        seconds, self._step_start = now - self._step_start, now
        self.step_seconds += (seconds - self.step_seconds) * (0.2 if self.step_seconds else 1.0)

    def is_over(self) -> bool:
        """Whether another step would leave too little time to validate and save."""
        if self.deadline_seconds is None:
            return False
        reserve = 1.1 * (self.validation_seconds or 0.0) + 1.5 * self.step_seconds + self.save_seconds
        return self.elapsed_seconds + reserve >= self.deadline_seconds

    def allows_validation(self) -> bool:
        """Whether a validation of the known length would end before the deadline."""
        if self.deadline_seconds is None or self.validation_seconds is None:
            return True
        return self.elapsed_seconds + self.validation_seconds <= 1.02 * self.deadline_seconds

    def wants_a_probe(self) -> bool:
        """Whether a third of the deadline is over and nobody knows yet what a validation costs."""
        return (
            self.deadline_seconds is not None
            and self.validation_seconds is None
            and self.elapsed_seconds >= self.deadline_seconds / 3.0
        )
