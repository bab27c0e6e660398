"""SIGTERM and SIGINT as a flag that a training looks at between two steps."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class StopRequestedError(Exception):
    """Leaves a validation that was under way when the signal came; the trainer saves and reports it."""


class StopSignals:
    """Turns the first SIGTERM or SIGINT inside the `with` block into `received`.

    A second signal acts as if this class were not there, so that an impatient user is heard. Outside the main
    thread, where Python allows no handlers, only `request` sets the flag. It stays set.
    """

    SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self) -> None:
        self.received = ""
        self._earlier: dict[int, Any] = {}

    def request(self) -> None:
        """Ask the training to save and stop, as a signal would; may be called from any thread."""
        self.received = self.received or "a request to stop"

    def poll(self, *_: object) -> None:
        """Leave what is under way if a stop was asked for.

        Raises:
            StopRequestedError: It was.
        """
        if self.received:
            raise StopRequestedError(self.received)

    def __enter__(self) -> StopSignals:
        if threading.current_thread() is threading.main_thread():
            self._earlier = {number: signal.signal(number, self._note) for number in self.SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._put_back()

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = signal.Signals(number).name
        self._put_back()

    def _put_back(self) -> None:
        for number, handler in self._earlier.items():
            # A handler set outside Python reads as None and cannot be set again.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        self._earlier = {}
