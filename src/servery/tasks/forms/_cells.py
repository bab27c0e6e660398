"""One value of one column, as it travels in JSON: texts, numbers, categories and times."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

import numpy as np

from servery.data.columns import Column, Kind
from servery.errors import InputError, TooLongError
from servery.tasks.form import Bounds

MAX_CATEGORY_CHARACTERS = 1000
MAX_NUMBER_CHARACTERS = 64
MAX_TIME_CHARACTERS = 40
LARGEST_NUMBER = float(np.finfo(np.float64).max)


def read_text(value: Any, pointer: str, limits: Bounds) -> str:
    """Return `value` if it is a text within the bounds.

    Raises:
        InputError: It is no string, or holds half a surrogate pair.
        TooLongError: It has too many characters.
    """
    if not isinstance(value, str):
        raise InputError(f"Expected a text at {pointer}, got {described(value)}.", param=pointer)
    if len(value) > limits.max_text_characters:
        raise TooLongError(
            f"The text at {pointer} has {len(value):,} characters; "
            f"this model accepts {limits.max_text_characters:,}.",
            hint="send a shorter text; nothing is cut off silently",
            param=pointer,
        )
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"The text at {pointer} holds half a surrogate pair at character {error.start}.", param=pointer
        ) from error
    return value


def read_cell(value: Any, column: Column, pointer: str, limits: Bounds) -> Any:
    """Return the value as a data set holds it; null means that it is missing.

    Raises:
        InputError: It does not fit the column's kind.
    """
    match column.kind:
        case Kind.NUMBER:
            return _read_number(value, pointer)
        case Kind.TIME:
            return _read_time(value, pointer)
        case Kind.TEXT:
            return None if value is None else read_text(value, pointer, limits)
        case _:
            return _read_category(value, pointer)


def cell_to_json(value: Any, column: Column) -> Any:
    """Return a value as a client would send it, the inverse of `read_cell`."""
    match column.kind:
        case Kind.NUMBER:
            number = float(value)
            return None if math.isnan(number) else number
        case Kind.TIME:
            return None if np.isnat(value) else str(np.datetime64(value, "us"))
        case _:
            return None if value is None else str(value)


def cell_schema(column: Column, limits: Bounds) -> dict[str, Any]:
    """Return the JSON Schema of one value, bounded."""
    match column.kind:
        case Kind.NUMBER:
            return {
                "type": ["number", "string", "null"],
                "minimum": -LARGEST_NUMBER,
                "maximum": LARGEST_NUMBER,
                "maxLength": MAX_NUMBER_CHARACTERS,
                "description": "A finite number, or one written as a string; null where it is missing.",
            }
        case Kind.TIME:
            return {
                "type": ["string", "null"],
                "maxLength": MAX_TIME_CHARACTERS,
                "description": "A time in ISO 8601, UTC unless it says otherwise; null where it is missing.",
            }
        case Kind.TEXT:
            return {"type": ["string", "null"], "maxLength": limits.max_text_characters}
        case _:
            return {
                "type": ["string", "number", "boolean", "null"],
                "minimum": -LARGEST_NUMBER,
                "maximum": LARGEST_NUMBER,
                "maxLength": MAX_CATEGORY_CHARACTERS,
                "description": "A category; one never seen in training counts as unknown, null as missing.",
                "examples": list(column.categories[:5]),
            }


def described(value: Any) -> str:
    """Return the JSON type of a value, for an error message.

    >>> described([1])
    'a list'
    """
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list"}
    return names.get(type(value), "an object")


def _read_number(value: Any, pointer: str) -> float:
    if value is None or value == "":
        return math.nan
    readable = isinstance(value, (int, float, str)) and not isinstance(value, bool)
    if isinstance(value, str):
        readable = len(value) <= MAX_NUMBER_CHARACTERS and "_" not in value
    try:
        number = float(value) if readable else math.nan
    except (ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        shown = f"{value[:40]!r}" if isinstance(value, str) else described(value)
        raise InputError(
            f"Expected a finite number at {pointer}, got {shown}.",
            hint="send null where the value is missing",
            param=pointer,
        )
    return number


def _read_time(value: Any, pointer: str) -> np.datetime64:
    if value is None or value == "":
        return np.datetime64("NaT", "ns")
    try:
        moment = datetime.fromisoformat(value) if len(value) <= MAX_TIME_CHARACTERS else None
    except (ValueError, TypeError):
        moment = None
    # 64 bits of nanoseconds reach from 1677 to 2262.
    if moment is None or not 1678 <= moment.year <= 2261:
        raise InputError(
            f"Expected a time in ISO 8601 between 1678 and 2261 at {pointer}.",
            hint='e.g. "2026-05-01T09:00:00Z"',
            param=pointer,
        )
    naive = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    return np.datetime64(naive, "ns")


def _read_category(value: Any, pointer: str) -> str | None:
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    # An integer of thousands of digits takes Python too long to write: no category is one.
    if not isinstance(value, (str, int, float)) or (isinstance(value, int) and value.bit_length() > 64):
        raise InputError(f"Expected a category at {pointer}, got {described(value)}.", param=pointer)
    text = str(value)
    if len(text) > MAX_CATEGORY_CHARACTERS:
        raise TooLongError(
            f"The category at {pointer} has {len(text):,} characters; "
            f"{MAX_CATEGORY_CHARACTERS:,} is the most.",
            param=pointer,
        )
    return text
