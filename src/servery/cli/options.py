"""The options that several verbs share."""

from __future__ import annotations

import re
from typing import Annotated, Any

import typer

from servery.errors import UsageError

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value for scripts.")]
Reference = Annotated[str, typer.Argument(help="name, name@3 or name@alias")]

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "": 1.0}


def seconds(text: str) -> float:
    """Read a duration.

    >>> seconds("10m"), seconds("90"), seconds("1.5h")
    (600.0, 90.0, 5400.0)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", text.strip())
    if not match:
        raise UsageError(f"{text!r} is no duration; write 90s, 10m, 1.5h or 30d.")
    return float(match[1]) * _SECONDS[match[2]]


def typed(text: str) -> Any:
    """Return a value of the command line as what it looks like: a number, true or false, else the text.

    >>> typed("5"), typed("0.5"), typed("true"), typed("adamw")
    (5, 0.5, True, 'adamw')
    """
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return {"true": True, "false": False}.get(text.lower(), text)


def pairs(words: list[str] | None, option: str) -> dict[str, str]:
    """Read a repeatable option of the form name=value.

    >>> pairs(["date=time", "id=group"], "--role")
    {'date': 'time', 'id': 'group'}
    """
    found = {}
    for word in words or []:
        name, sign, value = word.partition("=")
        if not sign:
            raise UsageError(
                f"{word!r} is not of the form name=value.", hint=f"{option} name=value", param=option
            )
        found[name.strip()] = value.strip()
    return found


def limits_of(texts: list[str]) -> dict[str, dict[str, float]]:
    """Read the limits of numbers.

    >>> limits_of(["income<=60000", "income >= 20000"])
    {'income': {'max': 60000.0, 'min': 20000.0}}
    """
    found: dict[str, dict[str, float]] = {}
    for text in texts:
        for sign, end in (("<=", "max"), (">=", "min")):
            name, is_there, value = text.partition(sign)
            if is_there:
                number = typed(value.strip())
                if isinstance(number, (int, float)) and not isinstance(number, bool):
                    found.setdefault(name.strip(), {})[end] = float(number)
                    break
        else:
            raise UsageError(f"{text!r} is no limit; write 'cooling<=20' or 'height_m>=3'.", param="--limit")
    return found
