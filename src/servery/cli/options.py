"""The options that several verbs share."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from servery.errors import InputError

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON value for scripts.")]
Reference = Annotated[str, typer.Argument(help="name, name@3 or name@alias")]

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}


def seconds(text: str) -> float:
    """Read a duration.

    >>> seconds("10m"), seconds("90"), seconds("1.5h")
    (600.0, 90.0, 5400.0)
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip())
    if not match:
        raise InputError(f"{text!r} is no duration; write 90s, 10m or 1.5h.", param="--deadline")
    return float(match[1]) * _SECONDS[match[2]]
