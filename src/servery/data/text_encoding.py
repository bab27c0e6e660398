"""Bytes of a file to text: unpacking, encoding, and the refusal of files that are no text."""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path

from servery.data.raw_table import MAX_TABLE_BYTES
from servery.errors import DataError, EmptyDataError

UNDECODABLE = re.compile("[\udc80-\udcff]")
"""What a byte that is no text becomes (PEP 383)."""

_BINARY = {
    b"PK\x03\x04": "an Excel workbook or another zip archive",
    b"\xd0\xcf\x11\xe0": "an old Excel workbook",
    b"PAR1": "a parquet file",
    b"%PDF": "a PDF",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"SQLite format 3": "an SQLite database",
    b"\x28\xb5\x2f\xfd": "a zstandard archive",
    b"BZh": "a bzip2 archive",
    b"\x80\x04\x95": "a Python pickle",
}


def read_bytes(path: Path) -> bytes:
    """Return a file's content, unpacked if it is gzip.

    Raises:
        EmptyDataError: The file is empty.
        DataError: It cannot be read, is larger than the bound, or is torn gzip.
    """
    try:
        with path.open("rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if packed else path.open("rb") as stream:
            content = stream.read(MAX_TABLE_BYTES + 1)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path.name} is a torn gzip file: {error}.", hint="copy or pack it again") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from error
    if len(content) > MAX_TABLE_BYTES:
        raise DataError(
            f"{path.name} is larger than {MAX_TABLE_BYTES / 2**30:g} GiB.", hint="take a sample of it"
        )
    if not content.strip():
        raise EmptyDataError(
            f"{path.name} is empty.", hint="the first line names the columns, every other is a row"
        )
    return content


def decode(content: bytes, name: str) -> tuple[str, str]:
    r"""Return the text of a file and the name of its encoding.

    Bytes that are no text in an otherwise sound file come out as U+DC80 to U+DCFF (`UNDECODABLE`), so that
    the caller can report their rows.

    Args:
        content: The whole file.
        name: Its name, for the error message.

    Raises:
        DataError: The file is no text at all.

    >>> decode("名字,标签\n".encode("gb18030") * 3, "x.csv")[1]
    'gb18030'
    """
    for start, what in _BINARY.items():
        if content.startswith(start):
            raise DataError(f"{name} is {what}, not a text file.", hint="save the table as csv (UTF-8)")
    if content.startswith(b"\xef\xbb\xbf"):
        return content[3:].decode("utf-8", "surrogateescape"), "utf-8-sig"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _decode_utf16(content, "utf-16", name)
    head = content[:65_536]
    if b"\x00" in head:
        return _decode_utf16(content, _utf16_order(head, name), name)
    return _decode_8_bit(content)


def _decode_utf16(content: bytes, encoding: str, name: str) -> tuple[str, str]:
    try:
        return content.decode(encoding), encoding
    except UnicodeDecodeError as error:
        raise DataError(f"{name} begins as {encoding} but breaks at byte {error.start}.") from error


def _utf16_order(head: bytes, name: str) -> str:
    for encoding in ("utf-16-le", "utf-16-be"):
        text = head[: len(head) // 2 * 2].decode(encoding, "replace")
        strange = sum(character < "\t" or character == "\ufffd" for character in text)
        if "\n" in text and strange < 0.01 * len(text):
            return encoding
    raise DataError(f"{name} is a binary file, not text.", hint="save the table as csv (UTF-8)")


def _decode_8_bit(content: bytes) -> tuple[str, str]:
    text = content.decode("utf-8", "surrogateescape")
    bad = len(UNDECODABLE.findall(text))
    if not bad:
        return text, "utf-8"
    # A file in another encoding has hardly any valid UTF-8 beyond ASCII; a UTF-8 file with some torn rows has mostly.
    beyond_ascii = sum(character > "\x7f" for character in text)
    if bad <= 0.1 * beyond_ascii:
        return text, "utf-8"
    # In GB encodings nearly every Chinese character is two high bytes; in Latin text high bytes stand alone.
    runs = re.findall(rb"[\x80-\xff]+", content)
    paired = sum(len(run) for run in runs if len(run) % 2 == 0) / sum(map(len, runs))
    if paired > 0.8:
        return content.decode("gb18030", "surrogateescape"), "gb18030"
    if re.search(rb"[\x80-\x9f]", content):
        return content.decode("cp1252", "surrogateescape"), "cp1252"
    return content.decode("latin-1"), "latin-1"
