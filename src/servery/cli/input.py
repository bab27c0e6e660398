"""What is asked of a model on the command line: words, a file, or the standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from servery.errors import InputError


def read_input(text: str) -> Any:
    """Return the words themselves, the bytes of `@file`, or those of the standard input when nothing was given.

    Raises:
        InputError: There is no such file, or nothing at all.
    """
    if text.startswith("@"):
        path = Path(text[1:])
        if not path.is_file():
            raise InputError(f"There is no file {path}.", param="input")
        return path.read_bytes()
    if text:
        return text
    if sys.stdin.isatty():
        raise InputError(
            "Nothing was asked.", hint='servery run sentiment-analysis "slow and rude"', param="input"
        )
    return sys.stdin.buffer.read()
