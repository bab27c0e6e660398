"""Pictures on the wire: base64 in JSON, or the raw bytes as a body."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from servery.data.columns import Column, Kind
from servery.errors import InputError, TooLargeError, UnsupportedMediaError
from servery.tasks.form import Bounds, Example, Form
from servery.tasks.forms._cells import cell_schema, cell_to_json, described, read_cell
from servery.tasks.forms._inputs import as_list, check_names, pointer_to
from servery.tasks.forms._pictures import check_picture, format_of

MAX_PREFIX_CHARACTERS = 100
"""Longest start of a data: URI, e.g. `data:image/png;base64,`."""


class ImageForm(Form):
    """One picture, or a list of them; with other columns, an object with the picture in base64.

    An example keeps the encoded bytes; only the header is read here.
    """

    name = "image"
    rank = 2

    def matches(self, kinds: frozenset[Kind]) -> bool:
        """Whether an input is a picture."""
        return Kind.IMAGE in kinds

    def examples(self, inputs: Any, columns: Sequence[Column], limits: Bounds) -> list[Example]:
        """Read base64 strings or data: URIs; of a model that reads more than a picture, objects.

        Raises:
            InputError: Not base64, or not a picture.
            TooLargeError: More bytes or pixels than the model accepts.
        """
        rows = as_list(inputs, limits)
        if len(columns) == 1:
            return [{columns[0].name: _read_picture(value, pointer, limits)} for value, pointer in rows]
        return [_read_object(value, columns, pointer, limits) for value, pointer in rows]

    def is_batch(self, inputs: Any, columns: Sequence[Column]) -> bool:
        """Whether `inputs` is a list."""
        return isinstance(inputs, list)

    def examples_from_bytes(
        self, body: bytes, content_type: str, columns: Sequence[Column], limits: Bounds
    ) -> list[Example]:
        """Read one picture; its first bytes say what it is, whatever the content type says.

        Raises:
            UnsupportedMediaError: The body is no picture, or the model reads more than a picture.
            InputError: The picture's header is torn.
            TooLargeError: More bytes or pixels than the model accepts.
        """
        if len(columns) != 1:
            names = ", ".join(c.name for c in columns)
            raise UnsupportedMediaError(
                f"This model reads {names}: a picture alone is not enough.",
                hint="send application/json, with the picture in base64",
            )
        if format_of(body) is None:
            raise UnsupportedMediaError(
                f"The body, of type {content_type or 'unknown'!r}, is no PNG, JPEG, GIF, BMP or WebP picture."
            )
        check_picture(body, "/inputs", limits)
        return [{columns[0].name: body}]

    def to_json(self, example: Example, columns: Sequence[Column]) -> Any:
        """Return the picture in base64, or an object of all columns."""
        cells = {
            c.name: _to_base64(example[c.name]) if c.kind is Kind.IMAGE else cell_to_json(example[c.name], c)
            for c in columns
        }
        return cells if len(columns) > 1 else cells[columns[0].name]

    def json_schema(self, columns: Sequence[Column], limits: Bounds) -> dict[str, Any]:
        """Return the schema of one picture in base64, or of an object of all columns."""
        cells = {
            c.name: _picture_schema(limits) if c.kind is Kind.IMAGE else cell_schema(c, limits)
            for c in columns
        }
        if len(columns) == 1:
            return cells[columns[0].name]
        return {
            "type": "object",
            "properties": cells,
            "required": [c.name for c in columns],
            "additionalProperties": False,
        }


def _read_object(value: Any, columns: Sequence[Column], pointer: str, limits: Bounds) -> Example:
    check_names(value, columns, pointer)
    return {
        c.name: _read_picture(value[c.name], pointer_to(pointer, c.name), limits)
        if c.kind is Kind.IMAGE
        else read_cell(value[c.name], c, pointer_to(pointer, c.name), limits)
        for c in columns
    }


def _read_picture(value: Any, pointer: str, limits: Bounds) -> bytes:
    if isinstance(value, bytes):  # from a tensor: the picture itself, or its base64
        if format_of(value) is not None:
            check_picture(value, pointer, limits)
            return value
        value = value.decode("latin-1")
    if not isinstance(value, str):
        raise InputError(f"Expected a picture in base64 at {pointer}, got {described(value)}.", param=pointer)
    if len(value) > _most_characters(limits):
        raise TooLargeError(
            f"The picture at {pointer} is larger than {limits.max_image_bytes:,} bytes.", param=pointer
        )
    encoded = value
    if value[:5].lower() == "data:":
        encoded = value.partition(",")[2]
    elif "://" in value[:10]:
        raise InputError(
            f"Got an address at {pointer}; this server fetches nothing.",
            hint="send the picture itself, in base64 or as the raw body",
            param=pointer,
        )
    try:
        picture = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InputError(f"The picture at {pointer} is not base64: {error}.", param=pointer) from error
    check_picture(picture, pointer, limits)
    return picture


def _to_base64(picture: bytes) -> str:
    return base64.b64encode(picture).decode("ascii")


def _most_characters(limits: Bounds) -> int:
    return 4 * ((limits.max_image_bytes + 2) // 3) + MAX_PREFIX_CHARACTERS


def _picture_schema(limits: Bounds) -> dict[str, Any]:
    return {
        "type": "string",
        "contentEncoding": "base64",
        "contentMediaType": "image/*",
        "maxLength": _most_characters(limits),
        "description": f"PNG, JPEG, GIF, BMP or WebP in base64 or as a data: URI; "
        f"at most {limits.max_image_pixels:,} pixels.",
    }


IMAGE = ImageForm()
