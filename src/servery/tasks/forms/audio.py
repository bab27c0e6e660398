"""Recordings on the wire: base64 in JSON, or the raw bytes as a body."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from servery.data.audio import described, format_of
from servery.data.columns import Column, Kind
from servery.errors import InputError, TooLargeError, TooLongError, UnsupportedMediaError
from servery.tasks.form import Bounds, Example, Form
from servery.tasks.forms import _cells
from servery.tasks.forms._inputs import as_list

MAX_PREFIX_CHARACTERS = 100
"""Longest start of a data: URI, e.g. `data:audio/wav;base64,`."""
FORMATS = "WAV, FLAC, Ogg or MP3"


class AudioForm(Form):
    """One recording, or a list of them.

    An example keeps the encoded bytes; only the head is read here.
    """

    name = "audio"
    rank = 3

    def matches(self, kinds: frozenset[Kind]) -> bool:
        """Whether the one input is a recording."""
        return kinds == {Kind.AUDIO}

    def examples(self, inputs: Any, columns: Sequence[Column], limits: Bounds) -> list[Example]:
        """Read base64 strings or data: URIs.

        Raises:
            InputError: Not base64, or not a recording.
            TooLongError: More seconds than the model accepts.
            TooLargeError: More bytes than the model accepts.
        """
        name = columns[0].name
        return [{name: _read(value, pointer, limits)} for value, pointer in as_list(inputs, limits)]

    def is_batch(self, inputs: Any, columns: Sequence[Column]) -> bool:
        """Whether `inputs` is a list."""
        return isinstance(inputs, list)

    def examples_from_bytes(
        self, body: bytes, content_type: str, columns: Sequence[Column], limits: Bounds
    ) -> list[Example]:
        """Read one recording; its first bytes say what it is, whatever the content type says.

        Raises:
            UnsupportedMediaError: The body is no recording.
            InputError: Its head is torn.
            TooLongError: More seconds than the model accepts.
            TooLargeError: More bytes than the model accepts.
        """
        if format_of(body) is None:
            raise UnsupportedMediaError(
                f"The body, of type {content_type or 'unknown'!r}, is no {FORMATS} recording."
            )
        check_recording(body, "/inputs", limits)
        return [{columns[0].name: body}]

    def to_json(self, example: Example, columns: Sequence[Column]) -> Any:
        """Return the recording in base64."""
        return base64.b64encode(example[columns[0].name]).decode("ascii")

    def json_schema(self, columns: Sequence[Column], limits: Bounds) -> dict[str, Any]:
        """Return the schema of one recording in base64."""
        return {
            "type": "string",
            "contentEncoding": "base64",
            "contentMediaType": "audio/*",
            "maxLength": _most_characters(limits),
            "description": f"{FORMATS} in base64 or as a data: URI; at most {limits.max_audio_seconds:g} seconds.",
        }


def check_recording(content: bytes, pointer: str, limits: Bounds) -> None:
    """Refuse what is no recording, and more of one than the model takes; only the head is read.

    Raises:
        InputError: It is none, or torn.
        TooLongError: More seconds than the model accepts.
        TooLargeError: More bytes than the model accepts.
    """
    if len(content) > limits.max_audio_bytes:
        raise TooLargeError(
            f"The recording at {pointer} has {len(content):,} bytes; this model accepts {limits.max_audio_bytes:,}.",
            param=pointer,
        )
    try:
        recording = described(content)
    except ValueError as error:
        raise InputError(
            f"At {pointer} stands {error}.", hint=f"send {FORMATS}, e.g. 16-bit PCM wav", param=pointer
        ) from error
    if recording.seconds > limits.max_audio_seconds:
        raise TooLongError(
            f"The recording at {pointer} lasts {recording.seconds:,.1f} seconds; "
            f"this model accepts {limits.max_audio_seconds:g}.",
            hint="send it in parts",
            param=pointer,
        )


def _check_start(start: bytes, pointer: str) -> None:
    if format_of(start) is None:
        raise InputError(
            f"At {pointer} stands no {FORMATS} recording.", hint=f"send {FORMATS}", param=pointer
        )


def _read(value: Any, pointer: str, limits: Bounds) -> bytes:
    if isinstance(value, bytes):  # from a tensor
        check_recording(value, pointer, limits)
        return value
    if not isinstance(value, str):
        got = _cells.described(value)
        raise InputError(f"Expected a recording in base64 at {pointer}, got {got}.", param=pointer)
    if len(value) > _most_characters(limits):
        raise TooLargeError(
            f"The recording at {pointer} is larger than {limits.max_audio_bytes:,} bytes.", param=pointer
        )
    encoded = value
    if value[:5].lower() == "data:":
        encoded = value.partition(",")[2]
    elif "://" in value[:10]:
        raise InputError(
            f"Got an address at {pointer}; this server fetches nothing.",
            hint="send the recording itself, in base64 or as the raw body",
            param=pointer,
        )
    try:
        # Its first bytes first: what is no recording is not worth decoding.
        _check_start(base64.b64decode(encoded[:16], validate=True), pointer)
        content = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"The recording at {pointer} is not base64: {error}.", param=pointer) from error
    check_recording(content, pointer, limits)
    return content


def _most_characters(limits: Bounds) -> int:
    return 4 * ((limits.max_audio_bytes + 2) // 3) + MAX_PREFIX_CHARACTERS


AUDIO = AudioForm()
