"""What every form checks of a request's inputs before it looks at a value: how many, and which names."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from servery.data.columns import Column
from servery.errors import InputError, TooLongError
from servery.tasks.form import Bounds
from servery.tasks.forms._cells import described


def as_list(inputs: Any, limits: Bounds) -> list[tuple[Any, str]]:
    """Return one or many inputs as a list, each with its JSON pointer.

    Raises:
        InputError: The list is empty.
        TooLongError: It has too many elements.
    """
    if not isinstance(inputs, list):
        return [(inputs, "/inputs")]
    check_count(len(inputs), "/inputs", limits)
    return [(value, f"/inputs/{place}") for place, value in enumerate(inputs)]


def check_count(count: int, pointer: str, limits: Bounds) -> None:
    """Refuse no inputs at all, and more than the model takes in one request."""
    if count == 0:
        raise InputError(f"The list at {pointer} is empty; send at least one input.", param=pointer)
    if count > limits.max_inputs:
        raise TooLongError(
            f"The list at {pointer} has {count:,} inputs; "
            f"this model accepts {limits.max_inputs:,} in one request.",
            hint="send several requests, or a job",
            param=pointer,
        )


def check_names(value: Any, columns: Sequence[Column], pointer: str) -> None:
    """Refuse what is no object, names that the model does not read, and missing ones.

    Raises:
        InputError: With the names, and the nearest one for each that is unknown.
    """
    names = [c.name for c in columns]
    if not isinstance(value, dict):
        raise InputError(
            f"Expected an object at {pointer}, got {described(value)}.",
            hint=f"give a value for each of: {_shown(names)}",
            param=pointer,
        )
    unknown = [name for name in value if name not in names]
    missing = [name for name in names if name not in value]
    if unknown:
        near = difflib.get_close_matches(str(unknown[0])[:100], missing or names, n=1)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        raise InputError(
            f"Unknown: {_shown(unknown)}.{guess}",
            hint=f"this model reads: {_shown(names)}",
            param=pointer_to(pointer, unknown[0]),
        )
    if missing:
        raise InputError(
            f"Missing at {pointer}: {_shown(missing)}.",
            hint="send null for a value that is not known",
            param=pointer_to(pointer, missing[0]),
        )


def pointer_to(pointer: str, name: Any) -> str:
    """Return the JSON pointer of a member; two characters mean something in one (RFC 6901, section 3).

    >>> pointer_to("/inputs/0", "plan/tier")
    '/inputs/0/plan~1tier'
    """
    return f"{pointer}/{str(name)[:60].replace('~', '~0').replace('/', '~1')}"


def _shown(names: Sequence[Any]) -> str:
    shown = ", ".join(repr(str(name)[:60]) for name in names[:20])
    return f"{shown} and {len(names) - 20} more" if len(names) > 20 else shown
