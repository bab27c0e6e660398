"""The pieces that texts are written in: which tokens stand for none, and how pieces make a text."""

from __future__ import annotations

from collections.abc import Sequence

PADDING, UNKNOWN, BEGIN, END = range(4)
"""Numbers of the tokens before a tokenizer's own."""
RESERVED = 4
SPACE = "▁"
"""Stands for a space within the pieces, so that they can be put together again."""


def joined(pieces: Sequence[str]) -> str:
    """Return the text that pieces make.

    >>> joined(["▁Tom", "▁like", "s", "▁tea", "."])
    'Tom likes tea.'
    """
    return "".join(pieces).replace(SPACE, " ").strip()
