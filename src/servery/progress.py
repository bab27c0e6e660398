"""How long work tells that it is getting on; the command line draws it, tests and servers ignore it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Receives the news of a piece of work that lasts."""

    def update(self, stage: str, done: float, total: float, note: str = "") -> None:
        """Say that `done` of `total` units of `stage` are finished; `note` is a short human remark."""

    def say(self, heading: str, text: str) -> None:
        """Say one finished fact, e.g. `say("Split", "1,600 / 200 / 200 (stratified)")`."""


class Silence:
    """The progress of nobody watching."""

    def update(self, stage: str, done: float, total: float, note: str = "") -> None:
        """Ignore the news."""

    def say(self, heading: str, text: str) -> None:
        """Ignore the fact."""
