"""Reads which columns a score may only grow or fall with, as a setting says it."""

from __future__ import annotations

from collections.abc import Sequence

from servery.data.columns import Column, Kind
from servery.errors import DataError, UnknownNameError

EXAMPLE = "income:-1,late_payments:+1"
_SIGNS = {"1": 1, "+1": 1, "-1": -1}


def read_monotone(setting: str, columns: Sequence[Column]) -> dict[str, int]:
    """Return number column to +1 or -1, as `monotone` says: which way the score of the last label may go with it.

    Raises:
        UnknownNameError: It names a column that the model does not read.
        DataError: It cannot be read, or a column has no order.

    >>> from servery.data.columns import Role
    >>> read_monotone("late_payments:+1", [Column("late_payments", Kind.NUMBER, Role.INPUT)])
    {'late_payments': 1}
    """
    kinds = {column.name: column.kind for column in columns}
    found: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in setting.split(","))):
        name, _, sign = (text.strip() for text in part.rpartition(":"))
        if sign not in _SIGNS or not name:
            raise DataError(
                f"monotone has {part!r}; expected a column and +1 or -1.",
                hint=f"--set monotone={EXAMPLE}",
                param="monotone",
            )
        if name not in kinds:
            raise UnknownNameError.among("column of monotone", name, kinds)
        if kinds[name] is not Kind.NUMBER:
            raise DataError(
                f"monotone names {name!r}, a {kinds[name]}; only numbers have an order.", param="monotone"
            )
        found[name] = _SIGNS[sign]
    return found
