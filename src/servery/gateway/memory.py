"""Memory that large requests leave behind, given back to the machine: the C library would keep it for the next one."""

from __future__ import annotations

import asyncio
import ctypes
from collections.abc import Callable

LARGE_BYTES = 256 * 2**10
"""Requests from this size on leave memory behind."""
PAUSE_SECONDS = 1.0
"""Between the first of several large requests and giving back what they left."""
_MOST_ARENAS = -8
"""`M_ARENA_MAX` of glibc's malloc.h. With an arena for every few threads, much of what is free is never given back."""


class Memory:
    """Gives back what is free, a moment after a large request and not after each one of many."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        self._trim: Callable[[int], int] | None = getattr(library, "malloc_trim", None)
        self._is_due = False
        if self._trim is not None:
            library.mallopt(_MOST_ARENAS, 1)

    def give_back_soon(self) -> None:
        """Give back what is free, soon; call it in the event loop."""
        if self._is_due or self._trim is None:
            return
        self._is_due = True
        asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._give_back)

    def _give_back(self) -> None:
        self._is_due = False
        assert self._trim is not None
        # ctypes lets go of the interpreter's lock for the call.
        asyncio.get_running_loop().run_in_executor(None, self._trim, 0)
