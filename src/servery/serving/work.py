"""How much work an input is, told from the input alone: to encode it would be to do half of the work."""

from __future__ import annotations

from collections.abc import Iterable

from servery.data.columns import Column, Kind
from servery.tasks.form import Example


def size_of(example: Example) -> int:
    """Return the size of an input: its characters, and one for all the rest, which is the same for every input.

    >>> size_of({"text": "slow and rude", "stars": 2.0})
    14
    """
    return 1 + sum([len(value) for value in example.values() if isinstance(value, str)])


def has_sizes(columns: Iterable[Column]) -> bool:
    """Return whether inputs with these columns differ in size; if not, every size is 1."""
    return any(column.kind in (Kind.TEXT, Kind.MARKED_TEXT, Kind.SCENE) for column in columns)


def is_foreseeable(columns: Iterable[Column]) -> bool:
    """Return whether `size_of` tells how much work an input is: not of pictures, recordings and free tensors."""
    return not any(column.kind in (Kind.IMAGE, Kind.AUDIO) or -1 in column.shape for column in columns)
