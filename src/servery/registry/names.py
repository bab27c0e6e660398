"""The rule of model and alias names, and how a reference is written: `name`, `name@3`, `name@alias`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from servery.errors import InputError

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,127}")
_RULE = "1 to 128 of a-z, 0-9, dot, underscore and dash, the first a letter or digit"


def checked_name(name: str, noun: str = "model name") -> str:
    """Return a name that keeps the rule.

    Raises:
        InputError: It does not.

    >>> checked_name("reviews")
    'reviews'
    """
    if not _NAME.fullmatch(name):
        raise InputError(f"The {noun} {name[:140]!r} is not allowed: it must be {_RULE}.", param="name")
    return name


def checked_alias(alias: str) -> str:
    """Return an alias that keeps the rule and cannot be taken for a version number.

    Raises:
        InputError: It does not.
    """
    if checked_name(alias, "alias").isdigit():
        raise InputError(f"The alias {alias!r} is a number; 'name@{alias}' would mean version {alias}.")
    return alias


@dataclass(frozen=True)
class Reference:
    """What a model id on the wire says: a name with a number, an alias or neither.

    >>> Reference.parse("reviews@3")
    Reference(name='reviews', number=3, alias=None)
    """

    name: str
    number: int | None = None
    alias: str | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a reference.

        Raises:
            InputError: The name or the alias breaks the rule.
        """
        name, at, rest = text.partition("@")
        checked_name(name)
        if not at:
            return cls(name)
        if re.fullmatch(r"[0-9]{1,9}", rest):
            return cls(name, number=int(rest))
        return cls(name, alias=checked_alias(rest))
