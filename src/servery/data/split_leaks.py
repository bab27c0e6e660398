"""Looks at parts for what both sides share: a patient, a stretch of time, readings that overlap."""

from __future__ import annotations

import numpy as np

from servery.data.building import is_missing
from servery.data.columns import Kind, Role
from servery.data.dataset import Dataset
from servery.data.finding import Finding, counted, first_lines, in_lines, percent
from servery.data.splits import Split

_LEAST_ROWS = 20
_LARGEST_GAP = 8
"""Test rows between two training rows; a tenth drawn at random has seldom more than three."""
_MOST_BETWEEN = 0.2
"""Of one stretch of time in the middle of the others only the ends stand beside training rows."""


def find_split_leaks(parts: Split) -> list[Finding]:
    """Return what makes the test part easier than new rows would be."""
    return [*_owners_on_both_sides(parts), *_times_among_each_other(parts), *_later_events(parts)]


def _owners_on_both_sides(parts: Split) -> list[Finding]:
    group = _column(parts.test, Role.GROUP)
    if not group or parts.policy == "given":  # of given parts the data set's own check has told it
        return []
    learned = set(parts.train[group]) - {None}
    shared = np.flatnonzero([owner in learned for owner in parts.test[group]])
    if not len(shared):
        return []
    message = (
        f"{counted(len(shared), 'test row belongs', 'test rows belong')} to a {group!r} of the train part, first "
        f"{in_lines(parts.test, shared)}: the score would not hold for a new {group!r}."
    )
    lines = first_lines(parts.test, shared)
    return [Finding("group_across_parts", "error", message, group, lines, is_leak=True)]


def _times_among_each_other(parts: Split) -> list[Finding]:
    """Find test rows with training rows after them: asked for real, a model knows the past only."""
    time = _column(parts.test, Role.TIME)
    if not time:
        return []
    learned, asked = (part[time][~is_missing(part[time])] for part in (parts.train, parts.test))
    if parts.policy == "group" or min(len(learned), len(asked)) < _LEAST_ROWS:
        return []
    share = share_between(learned, asked)
    if share < _MOST_BETWEEN:
        return []
    message = (
        f"{percent(share)} of the test rows stand between two training rows in {time!r}: the parts of this time series "
        "were drawn at random, so that a model may answer from the rows just before and after."
    )
    return [Finding("times_across_parts", "error", message, time, is_leak=True)]


def _later_events(parts: Split) -> list[Finding]:
    """Find events of the training rows that are later than what is asked: nobody could have learned from them."""
    target = parts.test.target
    if target.kind is not Kind.EVENTS:
        return []
    asked = [event.time for cell in parts.test[target.name] for event in cell or () if event.time is not None]
    learned = [
        event.time for cell in parts.train[target.name] for event in cell or () if event.time is not None
    ]
    share = float(np.mean(np.array(learned) > min(asked))) if asked and learned else 0.0
    if share <= 0:
        return []
    message = (
        f"{percent(share)} of what the training rows learn is later than the first event of the test part: with all "
        "users cut at one moment the model would know the past only."
    )
    return [Finding("events_across_parts", "error", message, target.name, is_leak=True)]


def share_between(learned: np.ndarray, asked: np.ndarray) -> float:
    """Return the share of times that follow a training row's and precede one's, with few others between.

    Args:
        learned: Times of the training rows, (train rows,).
        asked: Times of the test rows, (test rows,).

    >>> share_between(np.arange(0, 100, 2), np.arange(1, 99, 2)), share_between(np.arange(50), np.arange(50, 99))
    (1.0, 0.0)
    """
    learned, asked = np.sort(learned), np.sort(asked)
    before = np.searchsorted(learned, asked, side="right")
    is_inside = (before > 0) & (before < len(learned))
    _, stretch, sizes = np.unique(before, return_inverse=True, return_counts=True)
    return float((is_inside & (sizes[stretch] <= _LARGEST_GAP)).mean())


def _column(dataset: Dataset, role: Role) -> str:
    return next((column.name for column in dataset.columns if column.role is role), "")
