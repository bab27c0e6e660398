"""Reads JSON of strangers: no duplicate keys, no NaN, bounded depth, valid UTF-8."""

from __future__ import annotations

import json
from typing import Any

MAX_DEPTH = 64


def read_json(data: bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: It is no strict JSON; the message says why.

    >>> read_json(b'{"a": [1, 2.5, null]}')
    {'a': [1, 2.5, None]}
    """
    try:
        value = json.loads(
            data.decode("utf-8"), object_pairs_hook=_without_duplicates, parse_constant=_refuse
        )
    except RecursionError as error:
        raise ValueError(f"deeper than {MAX_DEPTH} levels") from error
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg} in line {error.lineno})") from error
    _check_depth(value)
    return value


def write_json(value: Any) -> bytes:
    """Return the one way Servery writes a JSON value: keys sorted, indented, UTF-8, a newline at the end.

    Raises:
        ValueError: It holds NaN, infinity, a lone surrogate, something that is no JSON, or is too deep.
    """
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, indent=1)
        _check_depth(value)
    except (TypeError, RecursionError) as error:
        raise ValueError(str(error)) from error
    return f"{text}\n".encode()


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the key {twice[:80]!r} stands twice")
    return value


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not JSON")


def _check_depth(value: Any) -> None:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [
            child
            for item in level
            if isinstance(item, dict | list)
            for child in (item.values() if isinstance(item, dict) else item)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise ValueError(f"deeper than {MAX_DEPTH} levels")
