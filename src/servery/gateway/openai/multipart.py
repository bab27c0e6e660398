"""Bodies of type multipart/form-data, taken apart within bounds; only the parts' own bytes are copied."""

from __future__ import annotations

import re
from dataclasses import dataclass

from servery.errors import MalformedError, TooLargeError, UnsupportedMediaError

MOST_PARTS = 64
LARGEST_PART_HEAD_BYTES = 4096
LARGEST_TEXT_BYTES = 64 * 2**10
"""Of a part that is no file."""

_BOUNDARY = re.compile(r';\s*boundary=(?:"([^"\r\n]{1,70})"|([^\s";,]{1,70}))\s*(?:;|$)', re.IGNORECASE)
_PARAMETER = re.compile(r';\s*(name|filename)=(?:"((?:[^"\\]|\\.)*)"|([^\s";]*))', re.IGNORECASE)


@dataclass(frozen=True)
class Part:
    """One field of a form.

    Attributes:
        name: Of the field.
        content: Its bytes.
        filename: Of a file; None for a text.
        content_type: As the client says.
    """

    name: str
    content: bytes
    filename: str | None = None
    content_type: str = ""

    @property
    def text(self) -> str:
        """The content as text.

        Raises:
            MalformedError: It is not UTF-8.
        """
        try:
            return self.content.decode()
        except UnicodeDecodeError as error:
            raise MalformedError(f"The field {self.name!r} is not UTF-8.", param=self.name) from error


def parts_of(body: bytes, content_type: str) -> list[Part]:
    r"""Return the fields of a form, in their order.

    Source: RFC 7578, section 4; RFC 2046, section 5.1.1.

    Args:
        body: The whole body.
        content_type: The header, with its boundary.

    Raises:
        UnsupportedMediaError: The content type is not multipart/form-data.
        MalformedError: No boundary, or the body does not keep to it.
        TooLargeError: Too many parts, or one whose head or text is too large.

    >>> body = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n'
    >>> [(part.name, part.text) for part in parts_of(body, "multipart/form-data; boundary=x")]
    [('a', '1')]
    """
    delimiter = b"--" + _boundary(content_type)
    if not body.startswith(delimiter):
        raise MalformedError("The body does not begin with the boundary that its Content-Type names.")
    place = len(delimiter)
    parts: list[Part] = []
    while body[place : place + 2] != b"--":
        if len(parts) == MOST_PARTS:
            raise TooLargeError(f"The form has more than {MOST_PARTS} parts.")
        if body[place : place + 2] != b"\r\n":
            raise _torn()
        start = body.find(b"\r\n\r\n", place, place + LARGEST_PART_HEAD_BYTES)
        if start < 0:
            raise _headless(len(body) - place)
        end = body.find(b"\r\n" + delimiter, start + 2)
        if end < 0:
            raise _torn()
        parts.append(_part(body[place + 2 : start], body[start + 4 : end]))
        place = end + 2 + len(delimiter)
    return parts


def _boundary(content_type: str) -> bytes:
    if content_type.partition(";")[0].strip().lower() != "multipart/form-data":
        raise UnsupportedMediaError(
            f"The body is of type {content_type[:100] or 'unknown'!r}; expected multipart/form-data.",
            hint="curl -F file=@recording.wav -F model=NAME",
        )
    found = _BOUNDARY.search(content_type)
    if found is None:
        raise MalformedError("The Content-Type names no boundary.", param="Content-Type")
    return (found[1] or found[2]).encode("latin-1")


def _part(head: bytes, content: bytes) -> Part:
    fields = dict(_field(line) for line in head.split(b"\r\n"))
    disposition = fields.get("content-disposition", "")
    told = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(disposition)}
    if not disposition.lower().startswith("form-data") or not told.get("name"):
        raise MalformedError("A part of the form has no name in its Content-Disposition.")
    name, filename = told["name"][:200], told.get("filename")
    if filename is None and len(content) > LARGEST_TEXT_BYTES:
        raise TooLargeError(f"The field {name!r} is larger than {LARGEST_TEXT_BYTES:,} bytes.", param=name)
    return Part(name, content, filename, fields.get("content-type", ""))


def _field(line: bytes) -> tuple[str, str]:
    name, _, value = line.decode("utf-8", "replace").partition(":")
    return name.strip().lower(), value.strip()


def _headless(rest: int) -> MalformedError | TooLargeError:
    if rest > LARGEST_PART_HEAD_BYTES:
        return TooLargeError(f"The head of a part is larger than {LARGEST_PART_HEAD_BYTES:,} bytes.")
    return _torn()


def _torn() -> MalformedError:
    return MalformedError("The form is torn: a part does not end with the boundary.")
