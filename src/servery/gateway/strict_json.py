"""JSON bodies, read strictly: what parsers may disagree about is refused, so that nobody is misread."""

from __future__ import annotations

import json
import re
from typing import Any, TypeVar

import msgspec

from servery.errors import InputError, MalformedError
from servery.gateway.json_bounds import check_json_bounds

LARGE_BODY_BYTES = 256 * 2**10
"""From this size on a body is read in a thread, so that it does not hold up everyone else."""

Message = TypeVar("Message")

_PLACE = re.compile(r"^(?P<what>.*?) - at `\$(?P<path>.*)`$", re.DOTALL)


def decoded(body: bytes) -> Any:
    """Return the body's value as plain types.

    Raises:
        MalformedError: Not JSON, not UTF-8, nested too deeply, NaN or infinity, a number out of range, or an
            object with the same name twice.
        TooLongError: It would become too many objects.

    >>> decoded(b'{"inputs": [1, 2.5]}')
    {'inputs': [1, 2.5]}
    """
    check_json_bounds(body)
    return _decoded(body)


def _decoded(body: bytes) -> Any:
    try:
        value = msgspec.json.decode(body)
    except RecursionError as error:
        raise MalformedError("The body is nested too deeply.") from error
    except ValueError as error:
        raise MalformedError(
            f"The body is not JSON: {str(error)[:200]}.", hint="Send UTF-8 JSON without NaN or Infinity."
        ) from error
    _refuse_repeated_names(body, value)
    return value


def converted(value: Any, to: type[Message], pointer: str = "", *, is_text: bool = False) -> Message:
    """Return plain types as a message.

    Args:
        value: From `decoded`.
        to: A msgspec struct.
        pointer: Where `value` stands in the body.
        is_text: Whether numbers and the like come as text, as in a query.

    Raises:
        InputError: It does not fit; `param` points at the place.
    """
    try:
        return msgspec.convert(value, to, strict=not is_text)
    except msgspec.ValidationError as error:
        raise _misfit(error, pointer) from error


def decoded_as(body: bytes, to: type[Message]) -> Message:
    """Return the body as a message; what does not fit is refused before all of it has become objects.

    Raises:
        MalformedError, TooLongError: As `decoded`.
        InputError: As `converted`.

    >>> decoded_as(b'{"colour": 1}', type("Empty", (msgspec.Struct,), {}, forbid_unknown_fields=True))
    Traceback (most recent call last):
    servery.errors.InputError: Object contains unknown field `colour`, at the top.
    """
    check_json_bounds(body)
    try:
        msgspec.json.decode(body, type=to)
    except RecursionError as error:
        raise MalformedError("The body is nested too deeply.") from error
    except msgspec.ValidationError as error:
        raise _misfit(error, "") from error
    except ValueError:
        pass  # `_decoded` says what is wrong with it
    return converted(_decoded(body), to)


def _misfit(error: msgspec.ValidationError, pointer: str) -> InputError:
    found = _PLACE.match(str(error))
    what, path = (found["what"], found["path"]) if found else (str(error), "")
    place = pointer + re.sub(r"\.|\[", "/", path).replace("]", "")
    return InputError(f"{what[:300]}, at {place or 'the top'}.", param=place or "/")


def _refuse_repeated_names(body: bytes, value: Any) -> None:
    # Every name is followed by a colon, so when there are no more colons than distinct names, none is repeated.
    # Only bodies with colons inside their texts pay for the exact look.
    if _has_names(value, body.count(b":")):
        return
    try:
        json.loads(body, object_pairs_hook=_distinct)
    except RecursionError as error:
        raise MalformedError("The body is nested too deeply.") from error


def _has_names(value: Any, wanted: int) -> bool:
    waiting = [value]
    for item in waiting:  # grows while it is walked
        if not wanted:
            return True
        if isinstance(item, dict):
            wanted -= len(item)
            if not wanted:
                return True
            waiting.extend(v for v in item.values() if isinstance(v, (dict, list)))
        else:
            waiting.extend(v for v in item if isinstance(v, (dict, list))) if isinstance(item, list) else None
    return not wanted


def _distinct(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) == len(names):
        return
    twice = next(name for name in names if names.count(name) > 1)
    raise MalformedError(f"The name {twice[:100]!r} stands twice in one object.", param=twice[:100])
